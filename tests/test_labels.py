"""What folders and sidecars say of a picture, and whether two pictures' labels agree; all worked by hand."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.groups import Member
from indexer.labels import (
    caption_lines,
    class_of,
    differences,
    disagreeing,
    meaning,
    merged,
    mirrored,
    sidecar_ending,
    stem,
)
from indexer.plans import Sidecar
from indexer.records import Stamp

# --- folders


@pytest.mark.parametrize(
    ("path", "guessed", "told"),
    [
        pytest.param("cat/1.jpg", "cat", "cat", id="a word"),
        pytest.param("a cat/1.jpg", "a cat", "a cat", id="a word among others"),
        pytest.param("Katze/1.jpg", "Katze", "Katze", id="upper case"),
        pytest.param("ネコ/1.jpg", "ネコ", "ネコ", id="letters of other scripts"),
        pytest.param("n01440764/1.jpg", "n01440764", "n01440764", id="ImageNet"),
        pytest.param("n0144076/1.jpg", None, "n0144076", id="a digit less than ImageNet's"),
        pytest.param("animals/dog/1.jpg", "dog", "dog", id="the nearest"),
        pytest.param("bing/dog/1.jpg", "dog", "dog", id="below a source"),
        pytest.param("cat/2021/1.jpg", "cat", "2021", id="above a year"),
        pytest.param("cat/images/1.jpg", "cat", "images", id="above images"),
        pytest.param("scrape-3/1.jpg", None, "scrape-3", id="a batch"),
        pytest.param("Bing_Images (2)/1.jpg", None, "Bing_Images (2)", id="words of batches and sources alone"),
        pytest.param("cat-scrape/1.jpg", "cat-scrape", "cat-scrape", id="a class among words of batches"),
        pytest.param("2026-11-22/1.jpg", None, "2026-11-22", id="a date"),
        pytest.param("00017/1.jpg", None, "00017", id="digits"),
        pytest.param("a/1.jpg", None, "a", id="a letter"),
        pytest.param("a-b_c/1.jpg", None, "a-b_c", id="single letters"),
        pytest.param("train/7/1.jpg", "7", "7", id="digits below a split"),
        pytest.param("train/scrape-3/1.jpg", "scrape-3", "scrape-3", id="whatever is below a split"),
        pytest.param("data/Test/cat/tabby/1.jpg", "cat", "tabby", id="right below a split"),
        pytest.param("train/1.jpg", None, "train", id="a split alone"),
        pytest.param("cat/train/1.jpg", None, "train", id="a split below a word"),
        pytest.param("test/train/cat/1.jpg", "cat", "cat", id="the last split"),
        pytest.param("train/images/1.jpg", None, "images", id="Roboflow"),
        pytest.param("images/train/1.jpg", None, "train", id="YOLO"),
        pytest.param("VOC2007/JPEGImages/1.jpg", "VOC2007", "JPEGImages", id="VOC: the same for all of its pictures"),
        pytest.param("JPEGImages/1.jpg", None, "JPEGImages", id="VOC as a root"),
        pytest.param("1.jpg", None, None, id="no folder"),
        pytest.param("cat.jpg", None, None, id="the file is no folder"),
    ],
)
def test_class_of(path: str, guessed: str | None, told: str | None) -> None:
    """A folder whose name looks like it is a class, the last folder when all are, none when none is."""
    assert (class_of(path), class_of(path, True), class_of(path, False)) == (guessed, told, None)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        pytest.param("/d/images/1.jpg", ("/d", "labels", ".txt"), id="YOLO"),
        pytest.param("/d/images/train/x/1.jpg", ("/d", "labels/train/x", ".txt"), id="YOLO, split below"),
        pytest.param("/d/train/images/1.jpg", ("/d/train", "labels", ".txt"), id="Roboflow, split above"),
        pytest.param("/images/d/images/1.jpg", ("/images/d", "labels", ".txt"), id="the last of two"),
        pytest.param("/images/1.jpg", ("/", "labels", ".txt"), id="at the top"),
        pytest.param("/d/JPEGImages/1.jpg", ("/d", "Annotations", ".xml"), id="VOC"),
        pytest.param("/d/Images/1.jpg", None, id="upper case"),
        pytest.param("/d/my images/1.jpg", None, id="part of a name"),
        pytest.param("/d/images", None, id="a file of that name"),
    ],
)
def test_mirrored(path: str, found: tuple[str, str, str] | None) -> None:
    """Labels lie under the same path in a folder beside that of the pictures."""
    assert mirrored(path) == found


# --- names


@pytest.mark.parametrize(
    ("name", "before", "ending"),
    [
        pytest.param("a.txt", "a", ".txt", id="caption"),
        pytest.param("a.jpg.TXT", "a.jpg", ".txt", id="two endings, upper case"),
        pytest.param("a.caption", "a", ".caption", id="its other name"),
        pytest.param("a.json", "a", ".json", id="metadata"),
        pytest.param("a.xmp", "a", ".xmp", id="XMP"),
        pytest.param("a.xml", "a", ".xml", id="annotation"),
        pytest.param("a.npz", "a", ".npz", id="arrays"),
        pytest.param("a.jpg", "a", None, id="a picture"),
        pytest.param("a.txt~", "a", None, id="a backup"),
        pytest.param("txt", "txt", None, id="no ending"),
        pytest.param(".txt", ".txt", None, id="nothing but an ending"),
        pytest.param("a.", "a", None, id="a dot at the end"),
        pytest.param("\udce9.txt", "\udce9", ".txt", id="not UTF-8"),
    ],
)
def test_stem_and_sidecar_ending(name: str, before: str, ending: str | None) -> None:
    """The last dot parts a name, unless it is its first letter."""
    assert (stem(name), sidecar_ending(name)) == (before, ending)


# --- what sidecars say


def npz(numbers: Sequence[float]) -> bytes:
    """Bytes of a file of arrays."""
    buffer = io.BytesIO()
    np.savez(buffer, latent=np.array(numbers))
    return buffer.getvalue()


VOC = b"<a><folder>f</folder><filename>a.jpg</filename><path>/x/a.jpg</path><name>cat</name><xmin>1</xmin></a>"
DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize(
    ("role", "left", "right", "equal"),
    [
        pytest.param(".txt", b"a cat\n", b"\n  a cat \n\n", True, id="blanks and blank lines"),
        pytest.param(".txt", b"a cat\nasleep\n", b"a cat\r\nasleep\r\n", True, id="CRLF"),
        pytest.param(".txt", b"a cat", b"a  cat", False, id="blanks within a line"),
        pytest.param(".txt", b"a\nb\n", b"b\na\n", False, id="order of lines"),
        pytest.param(".txt", b"ab\n", b"a\nb\n", False, id="one line or two"),
        pytest.param("+.caption", b"a cat", b"a cat\n", True, id="caption of a name"),
        pytest.param("labels.txt", b"0 .5 .5 1 1\r\n", b"0 .5 .5 1 1", True, id="YOLO"),
        pytest.param("labels.txt", b"", b"0 .5 .5 1 1", False, id="YOLO, nothing to be seen"),
        pytest.param(".json", b'{"a": 1, "b": [2]}', b'{\n "b":[2],"a":1}\n', True, id="order of keys"),
        pytest.param(".json", b'{"a": {"x": 1, "y": 2}}', b'{"a":{"y":2,"x":1}}', True, id="order of inner keys"),
        pytest.param(".json", b"[1, 2]", b"[2, 1]", False, id="order of a list"),
        pytest.param(".json", b'"\\u00e9"', '"é"'.encode(), True, id="escapes"),
        pytest.param(".json", b'{"a": 1}', b'{"a": "1"}', False, id="number or string"),
        pytest.param(".json", b'{"a": 1', b'{"a": 1 ', False, id="broken JSON by its bytes"),
        pytest.param(".json", b'{"a": 1', b'{"a": 1', True, id="the same broken JSON"),
        pytest.param(".json", b'{"a":"\xe9"}', b'{"a": "\xe9"}', False, id="JSON that is not UTF-8, by its bytes"),
        pytest.param(".json", DEEP, DEEP + b" ", False, id="deep JSON by its bytes"),
        pytest.param(".json", b"9" * 5000, b"9" * 5000 + b" ", False, id="a number of too many digits, by its bytes"),
        pytest.param(
            ".xml", VOC, VOC.replace(b"a.jpg", b"b.jpg").replace(b">f<", b"><"), True, id="VOC: names of the picture"
        ),
        pytest.param("labels.xml", VOC, VOC.replace(b"><", b">\r\n\t<", 1), False, id="VOC: new blanks between tags"),
        pytest.param(".xml", b"<a>\n  <b/>\n</a>", b"<a>\r\n\t<b/> </a>\n", True, id="XML: other blanks"),
        pytest.param(".xml", VOC, VOC.replace(b">1<", b">2<"), False, id="VOC: a box"),
        pytest.param(".xml", VOC, VOC.replace(b"cat", b"dog"), False, id="VOC: a class"),
        pytest.param(".xmp", VOC, VOC.replace(b"a.jpg", b"b.jpg"), False, id="XMP by its bytes"),
        pytest.param(".npz", npz([1.0, 2.0]), npz([1.0, 2.5]), False, id="arrays"),
        pytest.param(".npz", b"a\n", b"a", False, id="arrays by their bytes"),
    ],
)
def test_meaning(role: str, left: bytes, right: bytes, equal: bool) -> None:
    """Sidecars that say the same have one digest: what differs between any two copies does not count."""
    assert (meaning(role, left) == meaning(role, right)) is equal


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=6,
)


def test_meaning_of_a_caption_is_its_text() -> None:
    """However it is encoded, when its mark says so."""
    assert meaning(".txt", b"\xff\xfe" + "a \u00e9\r\n".encode("utf-16-le")) == meaning(".txt", "a \u00e9".encode())


@given(JSON, JSON)
def test_meaning_of_json_is_its_value(left: object, right: object) -> None:
    """Two values have one digest when they are equal as JSON, however they are laid out."""
    texts = json.dumps(left).encode(), json.dumps(right, indent=3, ensure_ascii=False).encode()

    equal = meaning(".json", texts[0]) == meaning(".json", texts[1])

    assert equal is (json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True))


@pytest.mark.parametrize(
    ("keeper", "surplus", "result"),
    [
        pytest.param(None, b" a dog \r\n", b" a dog \r\n", id="none: as it is"),
        pytest.param(b"a\n", b"b\na\nc\n", b"a\nb\nc\n", id="what lacks, in its order"),
        pytest.param(b"a\n", b"b\nb\n c\nb", b"a\nb\nc\n", id="each line once"),
        pytest.param(b"a", b"b", b"a\nb\n", id="no final newline"),
        pytest.param(b"a\r\nb\r\n", b"b\nc\n", b"a\r\nb\r\nc\n", id="CRLF of the keeper stays"),
        pytest.param(b"a\n", b"a\r\nb\r\n", b"a\nb\n", id="CRLF of the other one goes"),
        pytest.param(b" a \n\n", b"a\n", b" a \n\n", id="nothing lacks: every byte stays"),
        pytest.param(b"a", b"", b"a", id="nothing to add"),
        pytest.param(b"", b"a", b"a\n", id="an empty one of the keeper's"),
        pytest.param(b"", b"", b"", id="both empty"),
    ],
)
def test_merged(keeper: bytes | None, surplus: bytes, result: bytes) -> None:
    """A keeper's caption gets the lines that it lacks, behind its own."""
    assert merged(keeper, surplus) == result


def utf16(text: str, order: str = "le") -> bytes:
    """A text in UTF-16 with its mark."""
    return {"le": b"\xff\xfe", "be": b"\xfe\xff"}[order] + text.encode(f"utf-16-{order}")


@pytest.mark.parametrize(
    ("keeper", "surplus", "result"),
    [
        pytest.param(utf16("a\n"), "b\u00e9\n".encode(), utf16("a\nb\u00e9\n"), id="UTF-8 into UTF-16"),
        pytest.param(
            utf16("a", "be"), b"b", utf16("a\nb\n", "be"), id="ASCII into big-endian UTF-16, no final newline"
        ),
        pytest.param(utf16("a\n"), utf16("b\n", "be"), utf16("a\nb\n"), id="UTF-16 of the other order"),
        pytest.param(b"a\n", utf16("\u00e9\n"), "a\n\u00e9\n".encode(), id="UTF-16 into UTF-8"),
        pytest.param(b"\xef\xbb\xbfa\n", b"b\n", b"\xef\xbb\xbfa\nb\n", id="the keeper's mark stays"),
        pytest.param(b"a\n", b"\xef\xbb\xbfb\n", b"a\nb\n", id="that of the other one goes"),
        pytest.param(utf16("a\n"), b"a\n", utf16("a\n"), id="the same in another encoding"),
        pytest.param("a\n".encode("utf-32"), b"b\n", b"\xff\xfe\0\0" + "a\nb\n".encode("utf-32-le"), id="UTF-32"),
        pytest.param(b"\xe9\n", b"a\n", b"\xe9\na\n", id="ASCII into Latin-1"),
        pytest.param(b"a\n", b"\xe9\n", b"a\n\xe9\n", id="Latin-1 into ASCII"),
    ],
)
def test_merged_is_in_the_encoding_of_the_keeper(keeper: bytes, surplus: bytes, result: bytes) -> None:
    """What Python's own codecs make of the merged text."""
    assert merged(keeper, surplus) == result


@pytest.mark.parametrize(
    ("keeper", "surplus"),
    [
        pytest.param(b"\xe9\n", "\u00e8\n".encode(), id="UTF-8 into Latin-1"),
        pytest.param("\u00e8\n".encode(), b"\xe9\n", id="Latin-1 into UTF-8"),
        pytest.param(utf16("a\n"), b"\xe9\n", id="Latin-1 into UTF-16"),
        pytest.param(b"a\n", "b\n".encode("utf-16-le"), id="UTF-16 without a mark"),
        pytest.param("a\n".encode("utf-16-le"), b"b\n", id="into UTF-16 without a mark"),
        pytest.param(b"a\n", b"\xff\xfeb", id="half a character behind the mark"),
        pytest.param(b"\xff\xfe\x00\xd8", b"a", id="into half a pair"),
    ],
)
def test_captions_of_encodings_that_do_not_go_together_are_not_merged(keeper: bytes, surplus: bytes) -> None:
    """The group stays a conflict."""
    with pytest.raises(ValueError, match=r"encod|as its mark says"):
        merged(keeper, surplus)


LINES = st.lists(st.sampled_from((b"a", b" b", b"c d", b"", b"\xe9")), max_size=5)
CAPTIONS = st.builds(
    lambda lines, end, last: end.join(lines) + last, LINES, st.sampled_from((b"\n", b"\r\n")), LINES.map(b"".join)
)


@given(CAPTIONS, CAPTIONS)
def test_merged_loses_no_line_and_is_the_same_when_done_again(keeper: bytes, surplus: bytes) -> None:
    """The keeper's bytes stay in front, every line is there, and a second time adds nothing."""
    result = merged(keeper, surplus)

    assert result.startswith(keeper)
    assert set(caption_lines(result)) == {*caption_lines(keeper), *caption_lines(surplus)}
    assert merged(result, surplus) == result


# --- differences


def member(path: str) -> Member:
    """A picture at a path."""
    return Member(1, 1, 1, "/data", path, Stamp(1, 2, 3, 4), b"d" * 32, 1, 1, "JPEG")


def sidecar(role: str, text: bytes) -> Sidecar:
    """A sidecar that says something."""
    return Sidecar("/data", f"{text!r}{role}", role, text, meaning(role, text))


CAT, DOG = sidecar(".txt", b"a cat"), sidecar(".txt", b"a dog")
CAT_AGAIN, BOX = sidecar(".txt", b"a cat\n"), sidecar("labels.txt", b"0 1 1 1 1")


@pytest.mark.parametrize(
    ("keeper", "surplus", "clauses"),
    [
        pytest.param(("x1", ()), ("y1", ()), [], id="nothing"),
        pytest.param(("cat/1", (CAT,)), ("cat/2", (CAT_AGAIN,)), [], id="the same, said otherwise"),
        pytest.param(("x1", (CAT,)), ("y1", (DOG,)), ["its .txt differs"], id="another caption"),
        pytest.param(("x1", ()), ("y1", (DOG,)), ["it has .txt, the kept file has none"], id="the keeper has none"),
        pytest.param(("x1", (CAT, BOX)), ("y1", ()), [], id="the keeper says more"),
        pytest.param(("x1", (CAT,)), ("y1", (BOX,)), ["it has labels.txt, the kept file has none"], id="another role"),
        pytest.param(("x1", (BOX,)), ("y1", (replace(BOX, role="+.txt"),)), [], id="one text of both, in two roles"),
        pytest.param(("cat/1", ()), ("dog/1", ()), ["class 'dog' instead of 'cat'"], id="another class"),
        pytest.param(("cat/1", ()), ("scrape-3/1", ()), [], id="no class against one"),
        pytest.param(("scrape-3/1", ()), ("dog/1", ()), [], id="one against no class"),
        pytest.param(
            ("cat/1", (CAT,)),
            ("dog/1", (BOX, DOG)),
            [
                "class 'dog' instead of 'cat'",
                "it has labels.txt, the kept file has none",
                "its .txt differs",
            ],
            id="all of it, the class first",
        ),
    ],
)
def test_differences(
    keeper: tuple[str, Sequence[Sidecar]], surplus: tuple[str, Sequence[Sidecar]], clauses: list[str]
) -> None:
    """What would be lost with a surplus file is told, a clause each; what the keeper has more is not."""
    found = differences((member(keeper[0]), keeper[1]), (member(surplus[0]), surplus[1]), None)

    assert found == clauses


@pytest.mark.parametrize(
    ("class_folders", "clauses"),
    [
        pytest.param(True, ["class 'b' instead of 'a'"], id="folders are classes"),
        pytest.param(False, [], id="they are not"),
        pytest.param(None, [], id="their names do not look like it"),
    ],
)
def test_differences_of_classes_as_they_are_told(class_folders: bool | None, clauses: list[str]) -> None:
    """What the user says of folders outranks their names."""
    assert differences((member("a/1.jpg"), ()), (member("b/1.jpg"), ()), class_folders) == clauses


def test_disagreeing_gives_the_keepers_sidecar_of_the_role() -> None:
    """Role by role, in the order of the surplus file's, with what the keeper has in it."""
    assert disagreeing((CAT,), (BOX, DOG)) == [("labels.txt", None), (".txt", CAT)]
