"""Event files of TensorBoard, read back."""

import struct


def events(folder):
    """What an event file holds, by name: its records are a length, a checksum, the data and a checksum."""
    from tensorboardX.proto.event_pb2 import Event

    found = {}
    for path in sorted(folder.iterdir()):
        data, at = path.read_bytes(), 0
        while at < len(data):
            (length,) = struct.unpack_from("<Q", data, at)
            event = Event.FromString(data[at + 12 : at + 12 + length])
            at += 16 + length
            for each in event.summary.value:
                value = each.histo.num if each.HasField("histo") else each.simple_value
                found.setdefault(each.tag, []).append((event.step, value))
    return found
