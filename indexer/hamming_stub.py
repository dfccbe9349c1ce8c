import numpy as np
from typing import NamedTuple
class Found(NamedTuple):
    queries: object; known: object; bits: object; turns: object=None
def transpose8(w):
    b=np.unpackbits(w.view(np.uint8).reshape(-1,8),axis=1,bitorder='little').reshape(-1,8,8).transpose(0,2,1).reshape(-1,64)
    return np.packbits(b,axis=1,bitorder='little').view(np.uint64).ravel()
def oriented(h,t):
    h=h.copy()
    if t&4: h=np.stack([transpose8(np.ascontiguousarray(h[:,w])) for w in (0,2,1,3)],1)
    one=np.uint64(0xffffffffffffffff)
    if t&2: h[:,2]^=one; h[:,3]^=one
    if t&1: h[:,1]^=one; h[:,3]^=one
    return h
def _d(q,k): return np.bitwise_count(q[:,None,:]^k[None,:,:]).sum(-1)
def pairs_between(q,k,r,most=64,threads=1):
    for s in range(0,len(q),200):
        d=_d(q[s:s+200],k); i,j=np.nonzero(d<=r); yield Found(i+s,j,d[i,j])
def pairs_among(h,r,most=64,threads=1):
    for f in pairs_between(h,h,r):
        m=f.known<f.queries; yield Found(f.queries[m],f.known[m],f.bits[m])
def turned_between(q,k,r,most=64,threads=1):
    for s in range(0,len(q),200):
        d=np.stack([_d(oriented(q[s:s+200],t),k) for t in range(8)]); t=d.argmin(0); d=d.min(0)
        i,j=np.nonzero(d<=r); yield Found(i+s,j,d[i,j],t[i,j])
def turned_among(h,r,most=64,threads=1):
    for f in turned_between(h,h,r):
        m=f.known<f.queries; yield Found(f.queries[m],f.known[m],f.bits[m],f.turns[m])
