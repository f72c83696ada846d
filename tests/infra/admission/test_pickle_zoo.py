"""Nothing that is loaded by unpickling comes in: every gadget by every opcode's route, in every coat that frameworks give it."""

import bz2
import gzip
import io
import lzma
import pickle
import pickletools
import struct
import tarfile
import zipfile
import zlib

import numpy as np
import pytest

from flyball.infra.admission.errors import NotAdmittedError, RunsCodeError
from flyball.infra.admission.pickles import imports_as_pickle
from flyball.infra.admission.receiving import let_in
from flyball.infra.admission.source import Source

from .files import GADGETS, LIMITS, ROUTES, judged, own_pickles, safetensors, zoo

ZOO = zoo()
SOME = dict(list(ZOO.items())[:: len(ZOO) // 12]) | own_pickles()


def zipped(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), data)
    return out.getvalue()


def tarred(mode: str, **files: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def object_array() -> bytes:
    out = io.BytesIO()
    np.save(out, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return out.getvalue()


COATS = {
    "a torch checkpoint (.pt, .bin, .ckpt)": lambda p: zipped(
        archive__data_dot_pkl=p, archive__version=b"3\n", archive__data__0=b"\0" * 16
    ),
    "a torch checkpoint beside real weights": lambda p: zipped(
        model_dot_safetensors=safetensors(), archive__data_dot_pkl=p
    ),
    "a pickle under a harmless name": lambda p: zipped(model_dot_safetensors=safetensors(), notes_dot_txt=p),
    "a pickle that is called JSON": lambda p: zipped(model_dot_safetensors=safetensors(), config_dot_json=p),
    "a legacy torch file": lambda p: pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + p,
    "a torch tar": lambda p: tarred("w", pickle=p, storages=b"\0"),
    "a packed tar": lambda p: tarred("w:gz", pickle=p),
    "a NeMo tar": lambda p: tarred("w:xz", **{"model_weights.ckpt": zipped(data_dot_pkl=p)}),
    "joblib, zlib": zlib.compress,
    "joblib, best zlib": lambda p: zlib.compress(p, 9),
    "joblib, gzip": gzip.compress,
    "joblib, bz2": bz2.compress,
    "joblib, xz": lzma.compress,
    "joblib, lzma": lambda p: lzma.compress(p, lzma.FORMAT_ALONE),
    "a zip in a zip": lambda p: zipped(model_dot_safetensors=safetensors(), more_dot_zip=zipped(data_dot_pkl=p)),
    "an npz with objects": lambda p: zipped(arr_0_dot_npy=object_array() + p),
    "an npy with objects": lambda p: object_array() + p,
    "Keras 3": lambda p: zipped(
        config_dot_json=b'{"class_name": "Lambda"}', **{"model.weights.h5": b"\x89HDF\r\n\x1a\n" + p}
    ),
    "Keras h5 with a lambda": lambda p: b"\x89HDF\r\n\x1a\n" + b"\0" * 504 + p,
    "h5 behind a block of the user's": lambda p: b"\0" * 512 + b"\x89HDF\r\n\x1a\n" + p,
    "a MAR of TorchServe": lambda p: zipped(
        **{"MAR-INF/MANIFEST.json": b"{}", "handler.py": b"import os\n", "model.pt": p}
    ),
    "padding in front": lambda p: b"\n" * 64 + p,
    "two pickles": lambda p: pickle.dumps({"fine": 1}) + p,
    "behind a byte order mark": lambda p: b"\xef\xbb\xbf" + p,
}


@pytest.mark.parametrize("name", ZOO)
def test_a_gadget_is_refused_as_what_it_is(name):
    with pytest.raises(RunsCodeError, match="is a pickle: loading such files runs code"):
        judged(ZOO[name], "model.safetensors")


@pytest.mark.parametrize("route", ROUTES)
def test_every_route_of_the_zoo_leads_to_a_call_when_it_is_taken(route):
    made = ROUTES[route]("builtins", "set" if "BUILD" in route else "str", ("abc",) if "BUILD" not in route else ())
    if "BUILD" not in route:  # a state is set on what has one
        assert pickle.loads(made) == "abc"  # noqa: S301 -- our own bytes: the zoo is alive
    assert [opcode.name for opcode, _, _ in pickletools.genops(made)][-1] == "STOP"


def test_the_zoo_is_large_and_walks_to_its_imports():
    assert len(ZOO) == len(GADGETS) * len(ROUTES) >= 150
    assert [name for name, data in ZOO.items() if not imports_as_pickle(Source(io.BytesIO(data), name=""))] == []


@pytest.mark.parametrize("coat", COATS)
@pytest.mark.parametrize("name", SOME)
def test_no_coat_brings_a_gadget_in(coat, name, tmp_path):
    file = tmp_path / "received"
    file.write_bytes(COATS[coat](SOME[name]))

    with pytest.raises(NotAdmittedError) as refused:
        let_in(file, "sha256:", "model.safetensors", LIMITS)
    assert refused.value.next_step


@pytest.mark.parametrize(
    "name", ["model.safetensors", "model.gguf", "model.pt", "model.bin", "x.json", "../../x", "", "safetensors"]
)
def test_a_name_changes_nothing(name):
    with pytest.raises(RunsCodeError):
        judged(pickle.dumps({"fine": 1}, 4), name)
    assert judged(safetensors(), name).format == "safetensors"


def test_pickles_of_plain_data_are_refused_too():
    for protocol in range(6):
        with pytest.raises(NotAdmittedError):
            judged(pickle.dumps({"w": [1.0, 2.0]}, protocol))


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9])
def test_a_file_of_almost_nothing_is_refused(size):
    with pytest.raises(NotAdmittedError):
        judged(b"\x80\x04" * 8 + struct.pack("<Q", 0) if size == 9 else b"\0" * size)
