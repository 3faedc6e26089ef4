#!/usr/bin/env python3
"""Signed actions a second time, from docs/signed-actions.md alone: nothing here is taken from the server's code.

    signed_actions.py vectors FILE      checks the vectors of docs/signed-actions.json
    signed_actions.py verify KEYFILE    reads actions as lines of JSON, answers each line with `genuine` or `forged`
    signed_actions.py sign KEYFILE      reads claims as lines of JSON, answers each line with the signed action

The standard library is all that is needed.
"""

import base64
import datetime
import hashlib
import hmac
import json
import re
import sys
import uuid

DOMAIN = b"scoreboard/action/v1"
FIELDS = [
    "id", "board", "season", "kind", "userId", "points", "issuedAt", "notBefore", "expiresAt", "keyId", "hash",
]
SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}\Z", re.ASCII)
TIME = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})\.(\d{3})Z\Z", re.ASCII)
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.ASCII)
HASH = re.compile(r"[0-9a-f]{64}\Z", re.ASCII)
MAX_POINTS = 2**53 - 1
# 9999-12-30T21:59:59.999Z
LAST_MOMENT = 253_402_207_199_999
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


class Malformed(Exception):
    """What no server writes."""


def derive(master: bytes, key_id: str) -> bytes:
    """HKDF-SHA256 (RFC 5869) without a salt, one block of output."""
    pseudorandom = hmac.new(bytes(32), master, hashlib.sha256).digest()
    info = b"scoreboard/actions/v1/" + key_id.encode()
    return hmac.new(pseudorandom, info + b"\x01", hashlib.sha256).digest()


def u64(number: int) -> bytes:
    return number.to_bytes(8, "little")


def i64(number: int) -> bytes:
    return number.to_bytes(8, "little", signed=True)


def slug(value) -> bytes:
    if not isinstance(value, str) or not SLUG.match(value):
        raise Malformed("a slug")
    return value.encode()


def identity(value) -> bytes:
    if not isinstance(value, str) or not UUID.match(value):
        raise Malformed("a UUID")
    return uuid.UUID(value).bytes


def whole(value, least: int, greatest: int) -> int:
    # `True` is an int too, in Python.
    if type(value) is not int or not least <= value <= greatest:
        raise Malformed("a whole number")
    return value


def millis(value) -> int:
    match = TIME.match(value) if isinstance(value, str) else None
    if not match:
        raise Malformed("a time")
    try:
        whole_second = datetime.datetime.fromisoformat(match[1] + "+00:00")
    except ValueError:
        raise Malformed("a time") from None
    elapsed = whole_second - EPOCH
    return whole((elapsed.days * 86_400 + elapsed.seconds) * 1000 + int(match[2]), 0, LAST_MOMENT)


def message(action: dict) -> bytes:
    """The bytes that are signed."""
    pieces = [
        DOMAIN,
        slug(action["keyId"]),
        identity(action["id"]),
        slug(action["board"]),
        whole(action["season"], 0, 2**32 - 1).to_bytes(4, "little"),
        slug(action["kind"]),
        identity(action["userId"]),
        i64(whole(action["points"], -MAX_POINTS, MAX_POINTS)),
        i64(millis(action["issuedAt"])),
        i64(millis(action["notBefore"])),
        i64(millis(action["expiresAt"])),
    ]
    return u64(len(pieces)) + b"".join(u64(len(piece)) + piece for piece in pieces)


def signature(action: dict, master: bytes) -> str:
    return hmac.new(derive(master, action["keyId"]), message(action), hashlib.sha256).hexdigest()


def once(members):
    """No member may be there twice."""
    names = [name for name, _ in members]
    if len(set(names)) != len(names):
        raise Malformed("a member twice")
    return dict(members)


def read(text: str) -> dict:
    action = json.loads(text, object_pairs_hook=once)
    if not isinstance(action, dict) or sorted(action) != sorted(FIELDS):
        raise Malformed("other members")
    return action


def is_genuine(text: str, keys: dict) -> bool:
    try:
        action = read(text)
        if not isinstance(action["hash"], str) or not HASH.match(action["hash"]):
            return False
        slug(action["keyId"])
        master = keys.get(action["keyId"])
        return master is not None and hmac.compare_digest(signature(action, master), action["hash"])
    except (Malformed, ValueError, RecursionError):
        return False


def keys_of(path: str) -> dict:
    """The key file of the server."""
    with open(path, encoding="utf-8") as file:
        document = json.load(file)
    assert (document["format"], document["version"]) == ("scoreboard-keys", 1)
    return {key["id"]: base64.b64decode(key["secret"], validate=True) for key in document["keys"]}


def check_vectors(path: str) -> None:
    with open(path, encoding="utf-8") as file:
        vectors = json.load(file)
    keys = {key["id"]: bytes.fromhex(key["secret"]) for key in vectors["keys"]}
    for key in vectors["keys"]:
        assert derive(keys[key["id"]], key["id"]).hex() == key["derived"], key["id"]
    for vector in vectors["genuine"]:
        action = vector["action"]
        assert message(action).hex() == vector["message"], vector["about"]
        assert signature(action, keys[action["keyId"]]) == action["hash"], vector["about"]
        assert is_genuine(json.dumps(action), keys), vector["about"]
    for vector in vectors["forged"]:
        assert not is_genuine(json.dumps(vector["action"]), keys), vector["about"]
    print(len(vectors["genuine"]), "genuine and", len(vectors["forged"]), "forged")


def main() -> None:
    command, path = sys.argv[1:]
    if command == "vectors":
        return check_vectors(path)
    keys = keys_of(path)
    for line in sys.stdin:
        if command == "verify":
            print("genuine" if is_genuine(line, keys) else "forged", flush=True)
        elif command == "sign":
            claims = json.loads(line)
            claims["keyId"] = next(iter(keys))
            claims["hash"] = signature(claims, keys[claims["keyId"]])
            print(json.dumps(claims), flush=True)
        else:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
