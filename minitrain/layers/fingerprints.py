"""Hashes of bytes that are TensorFlow's, bit for bit: FarmHash's Fingerprint64, SipHash, and crosses of hashes."""

from __future__ import annotations

from typing import Any

MASK = 2**64 - 1
K0, K1, K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F


def _word(data: bytes, at: int, size: int = 8) -> int:
    """The little-endian integer of `size` bytes; negative places count from the end."""
    at = at % len(data)
    return int.from_bytes(data[at : at + size], "little")


def _rotated(x: int, by: int) -> int:
    """The 64 bits of x, rotated to the right."""
    x &= MASK
    return (x >> by | x << (64 - by)) & MASK


def _shifted(x: int) -> int:
    x &= MASK
    return x ^ x >> 47


def _mixed(u: int, v: int, factor: int) -> int:
    """One number of two."""
    a = _shifted((u ^ v) * factor)
    return _shifted((v ^ a) * factor) * factor & MASK


def fingerprint(data: bytes) -> int:
    """FarmHash's Fingerprint64. Source: Pike and Alakuijala (2014), farmhashna."""
    n = len(data)
    if n > 64:
        return _long(data)
    factor = K2 + 2 * n
    if n > 16:
        first = K1 if n <= 32 else K2
        a, b = _word(data, 0) * first & MASK, _word(data, 8)
        c, d = _word(data, -8) * factor & MASK, _word(data, -16) * K2 & MASK
        y = _rotated(a + b, 43) + _rotated(c, 30) + d & MASK
        z = a + _rotated(b + K2, 18) + c & MASK
        if n <= 32:
            return _mixed(y, z, factor)
        z = _mixed(y, z, factor)
        e, f = _word(data, 16) * factor & MASK, _word(data, 24)
        g, h = (y + _word(data, -32)) * factor & MASK, (z + _word(data, -24)) * factor & MASK
        return _mixed(_rotated(e + f, 43) + _rotated(g, 30) + h & MASK, e + _rotated(f + a, 18) + g & MASK, factor)
    if n >= 8:
        a, b = _word(data, 0) + K2 & MASK, _word(data, -8)
        return _mixed(_rotated(b, 37) * factor + a & MASK, (_rotated(a, 25) + b) * factor & MASK, factor)
    if n >= 4:
        return _mixed(n + (_word(data, 0, 4) << 3), _word(data, -4, 4), factor)
    if n:
        return _shifted((data[0] + (data[n >> 1] << 8)) * K2 ^ (n + (data[-1] << 2)) * K0) * K2 & MASK
    return K2


def _weak(data: bytes, at: int, a: int, b: int) -> tuple[int, int]:
    """Two numbers of 32 bytes and two numbers."""
    w, x, y, z = (_word(data, at + 8 * place) for place in range(4))
    a += w
    b = _rotated(b + a + z, 21)
    c, a = a, a + x + y
    return a + z & MASK, b + _rotated(a, 44) + c & MASK


def _long(data: bytes) -> int:
    n = len(data)
    x, y = 81, 81 * K1 + 113
    z = _shifted(y * K2 + 113) * K2
    x, v, w = x * K2 + _word(data, 0), (0, 0), (0, 0)
    blocks = [*range(0, (n - 1) // 64 * 64, 64), n - 64]
    for at in blocks:
        is_last = at == blocks[-1]
        factor = K1 + ((z & 0xFF) << 1) if is_last else K1
        times = 9 if is_last else 1
        if is_last:
            w = (w[0] + ((n - 1) & 63), w[1])
            v = (v[0] + w[0], v[1])
            w = (w[0] + v[0], w[1])
        x = _rotated(x + y + v[0] + _word(data, at + 8), 37) * factor
        y = _rotated(y + v[1] + _word(data, at + 48), 42) * factor
        x ^= w[1] * times
        y += v[0] * times + _word(data, at + 40)
        z = _rotated(z + w[0], 33) * factor
        v = _weak(data, at, v[1] * factor, x + w[0])
        w = _weak(data, at + 32, z + w[1], y + _word(data, at + 16))
        x, z = z, x
    return _mixed(
        _mixed(v[0], w[0], factor) + _shifted(y) * K0 + z & MASK, _mixed(v[1], w[1], factor) + x & MASK, factor
    )


def sip_hash(data: bytes, key: tuple[int, int]) -> int:
    """SipHash-2-4. Source: Aumasson and Bernstein (2012)."""
    v = [key[0] ^ 0x736F6D6570736575, key[1] ^ 0x646F72616E646F6D]
    v += [key[0] ^ 0x6C7967656E657261, key[1] ^ 0x7465646279746573]

    def stir(times: int) -> None:
        for _ in range(times):
            for a, b, turn, later in ((0, 1, 51, True), (2, 3, 48, False), (0, 3, 43, False), (2, 1, 47, True)):
                v[a] = v[a] + v[b] & MASK
                v[b] = _rotated(v[b], turn) ^ v[a]
                v[a] = _rotated(v[a], 32) if later else v[a]

    padded = data + b"\0" * (7 - len(data) % 8) + bytes([len(data) & 0xFF])
    for at in range(0, len(padded), 8):
        word = _word(padded, at)
        v[3] ^= word
        stir(2)
        v[0] ^= word
    v[2] ^= 0xFF
    stir(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def as_bytes(value: Any) -> bytes:
    """The bytes of a string, or of an integer's digits."""
    return value if isinstance(value, bytes) else str(value).encode()


def crossed(hashes: list[int]) -> int:
    """One hash of several, in order: TensorFlow's FingerprintCat64, from its hash key."""
    factor, out = 0xC6A4A7935BD1E995, 0xDECAFCAFFE
    for each in hashes:
        out = (out ^ factor ^ _shifted(each * factor) * factor) * factor & MASK
        out = _shifted(_shifted(out) * factor)
    return out
