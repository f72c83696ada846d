"""Files of weights: judged, kept by their hash, audited, seen by their project alone, and never held in memory."""

import io
import os
import zipfile

import pytest

from flyball.audit import service as audit
from flyball.infra.admission.errors import RunsCodeError
from flyball.kit.errors import InvalidInputError
from flyball.kit.hashing import bytes_hash, canonical_json
from flyball.models import files
from flyball.models.errors import ModelFileNotFoundError
from flyball.models.file_records import FilePart

HEADER = b'{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
WEIGHTS = len(HEADER).to_bytes(8, "little") + HEADER + b"\0" * 8
OCTETS = {"content-type": "application/octet-stream"}


async def in_pieces(data: bytes, size: int = 7):
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def test_a_file_is_kept_by_its_hash_and_noted(ctx):
    admitted = await files.admit(ctx, "model.safetensors", in_pieces(WEIGHTS))

    assert admitted.hash == bytes_hash(WEIGHTS)
    assert (admitted.format, admitted.tensors, admitted.parameters) == ("safetensors", 1, 2)
    assert ctx.blobs.get(admitted.hash) == WEIGHTS
    [event] = (await audit.list_events(ctx)).items
    assert (event.action, event.object_id) == ("models.admit", admitted.hash)
    assert [*ctx.layout.staging.iterdir()] == []


async def test_letting_a_file_in_twice_is_letting_it_in_once(ctx):
    first = await files.admit(ctx, "model.safetensors", in_pieces(WEIGHTS))

    assert await files.admit(ctx, "another name", in_pieces(WEIGHTS)) == first
    assert (await files.list_files(ctx)).items == (first,)
    assert len((await audit.list_events(ctx)).items) == 1


async def test_what_is_refused_leaves_nothing_behind(ctx):
    with pytest.raises(RunsCodeError):
        await files.admit(ctx, "model.safetensors", in_pieces(b"\x80\x04\x8c\x02os\x8c\x06system\x93."))

    assert (await files.list_files(ctx)).items == ()
    assert [*ctx.layout.staging.iterdir()] == []
    assert [path for path in ctx.layout.blobs.rglob("*") if path.is_file()] == []


async def test_what_a_crash_left_goes_after_two_days(ctx):
    for name, days in (("incoming-old", 3), ("incoming-new", 1), ("imports", 9)):
        folder = ctx.layout.staging / name
        folder.mkdir()
        at = ctx.clock.now_ns() - days * 86_400 * 10**9
        os.utime(folder, ns=(at, at))

    await files.admit(ctx, "model.safetensors", in_pieces(WEIGHTS))

    assert {path.name for path in ctx.layout.staging.iterdir()} == {"incoming-new", "imports"}


async def test_an_archive_is_the_list_of_its_files(ctx):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("m/model.safetensors", WEIGHTS)
        archive.writestr("m/config.json", b"{}")

    admitted = await files.admit(ctx, "m.zip", in_pieces(out.getvalue(), 100))

    assert admitted.format == "archive"
    assert admitted.files == (
        FilePart(path="m/config.json", hash=bytes_hash(b"{}"), format="json", bytes=2),
        FilePart(path="m/model.safetensors", hash=bytes_hash(WEIGHTS), format="safetensors", bytes=len(WEIGHTS)),
    )
    assert ctx.blobs.get(admitted.hash) == canonical_json(admitted.files)
    assert ctx.blobs.get(admitted.files[1].hash) == WEIGHTS


@pytest.mark.parametrize(
    "hash_", ["", "sha256:", "../../etc/passwd", "sha256:" + "0" * 64, "sha256:" + "A" * 64, "x" * 1000]
)
async def test_only_a_hash_that_was_let_in_is_found(ctx, hash_):
    with pytest.raises(ModelFileNotFoundError):
        await files.get_file(ctx, hash_)


@pytest.mark.parametrize("name", ["", "a\nb", "a\0b", "x" * 201])
async def test_a_name_that_cannot_be_shown_is_refused(ctx, name):
    with pytest.raises(InvalidInputError):
        await files.admit(ctx, name, in_pieces(WEIGHTS))


async def test_the_route_takes_a_file_beyond_the_cap_of_other_bodies(ctx, admin):
    size = ctx.settings.max_body_bytes + 1
    header = b'{"w":{"dtype":"U8","shape":[%d],"data_offsets":[0,%d]}}' % (size, size)
    body = len(header).to_bytes(8, "little") + header + bytes(size)

    answered = await admin.send(
        "POST", "/api/model-files?name=large", body=body, headers=OCTETS | {"content-length": str(len(body))}
    )

    assert answered.status == 201
    assert answered.json()["hash"] == bytes_hash(body)
    shown = await admin.get(f"/api/model-files/{bytes_hash(body)}")
    assert shown.json() == answered.json()
    assert [each["name"] for each in (await admin.get("/api/model-files")).json()["items"]] == ["large"]


async def test_another_type_of_body_is_refused(admin):
    answered = await admin.send("POST", "/api/model-files?name=a", body=WEIGHTS, headers={"content-type": "text/plain"})

    assert (answered.status, answered.json()["error"]["code"]) == (415, "wrong_media_type")


async def test_a_stranger_sends_nothing(public):
    answered = await public.send("POST", "/api/model-files?name=a", body=WEIGHTS, headers=OCTETS)

    assert answered.status in (401, 403)


async def test_a_pickle_is_refused_with_what_to_do(admin):
    answered = await admin.send("POST", "/api/model-files?name=m.bin", body=b"\x80\x02cos\nsystem\n.", headers=OCTETS)

    assert (answered.status, answered.json()["error"]["code"]) == (422, "file_runs_code")
    assert "safetensors" in answered.json()["error"]["next_step"]
