#!/usr/bin/env python3
"""Requests of trusted game servers, signed from docs/signed-requests.md alone: nothing here is taken from the server's code.

    signed_requests.py vectors FILE         checks the vectors of docs/signed-requests.json
    signed_requests.py record URL KEY       reads lines of JSON {idempotencyKey, body, shift?, sent?}, signs and sends each, and answers
                                            each line with {status, answer}; `shift` moves the clock by so many seconds, `sent` is what
                                            is sent in the place of what was signed: {idempotencyKey?, body?, time?, key?, path?}

The standard library is all that is needed. Ed25519 is that of RFC 8032 §6: plain and slow, good for tests.
"""

import hashlib
import json
import sys
import time
import urllib.error
import urllib.request

DOMAIN = b"scoreboard/request/v1"
TARGET = "/api/scoreboard/record"

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def point_add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def point_multiply(scalar, point):
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = point_add(result, point)
        point = point_add(point, point)
        scalar >>= 1
    return result


def recover_x(y, sign):
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    return P - x if (x & 1) != sign else x


BASE_Y = 4 * pow(5, -1, P) % P
BASE_X = recover_x(BASE_Y, 0)
BASE = (BASE_X, BASE_Y, 1, BASE_X * BASE_Y % P)


def compress(point):
    inverse = pow(point[2], -1, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def expand(seed):
    digest = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(digest[:32], "little")
    return (scalar & (1 << 254) - 8) | 1 << 254, digest[32:]


def public_key(seed):
    return compress(point_multiply(expand(seed)[0], BASE))


def number(digest):
    return int.from_bytes(digest, "little") % L


def sign(seed, message):
    scalar, prefix = expand(seed)
    nonce = number(hashlib.sha512(prefix + message).digest())
    head = compress(point_multiply(nonce, BASE))
    challenge = number(hashlib.sha512(head + public_key(seed) + message).digest())
    return head + ((nonce + challenge * scalar) % L).to_bytes(32, "little")


def message(key, method, target, idempotency_key, millis, body):
    pieces = [
        DOMAIN,
        key.encode(),
        method.encode(),
        target.encode(),
        idempotency_key.encode(),
        millis.to_bytes(8, "little", signed=True),
        hashlib.sha256(body).digest(),
    ]
    framed = b"".join(len(piece).to_bytes(8, "little") + piece for piece in pieces)
    return len(pieces).to_bytes(8, "little") + framed


def vectors(path):
    with open(path, encoding="utf-8") as file:
        document = json.load(file)
    for case in document["requests"]:
        seed = bytes.fromhex(case["privateKey"])
        assert public_key(seed).hex() == case["publicKey"], case["about"]
        signed = message(
            case["key"], case["method"], case["target"], case["idempotencyKey"], case["time"], case["body"].encode()
        )
        assert signed.hex() == case["message"], case["about"]
        assert sign(seed, signed).hex() == case["signature"], case["about"]
    print(f"{len(document['requests'])} requests")


def record(url, key):
    prefix, name, seed = key.split("_")[0], "_".join(key.split("_")[1:-1]), bytes.fromhex(key.split("_")[-1])
    assert prefix == "sbk", "a private key of a game server"
    for line in sys.stdin:
        case = json.loads(line)
        body = json.dumps(case["body"]).encode()
        millis = int((time.time() + case.get("shift", 0)) * 1000)
        signature = sign(seed, message(name, "POST", TARGET, case["idempotencyKey"], millis, body)).hex()
        sent = case.get("sent", {})
        shown = sent.get("key", name), sent.get("time", millis), signature
        request = urllib.request.Request(
            url.rstrip("/") + sent.get("path", TARGET),
            data=json.dumps(sent["body"]).encode() if "body" in sent else body,
            headers={
                "Content-Type": "application/json",
                "Idempotency-Key": sent.get("idempotencyKey", case["idempotencyKey"]),
                "Authorization": 'Scoreboard-Ed25519 key="{}", time="{}", signature="{}"'.format(*shown),
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        print(json.dumps({"status": status, "answer": json.loads(text)}), flush=True)


if __name__ == "__main__":
    {"vectors": vectors, "record": record}[sys.argv[1]](*sys.argv[2:])
