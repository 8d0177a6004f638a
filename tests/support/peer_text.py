# tests/support/peer_text.py - the small language of scripts: words, escapes, patterns.
import re

ESCAPES = {'r': b'\r', 'n': b'\n', 't': b'\t', '0': b'\0', '\\': b'\\', '"': b'"'}
PAIR = re.compile(r'([A-Za-z0-9_.@+-]+)=("(?:[^"\\]|\\.)*"|\S*)')


class Failure(Exception):
    """A behaviour that differs from the script."""


def unescape(text):
    r"""\r \n \t \0 \\ \" and \xNN; everything else as UTF-8. N*{TEXT} is TEXT N times, for long things."""
    text = re.sub(r'(\d+)\*\{([^}]*)\}', lambda m: m.group(2) * int(m.group(1)), text)
    out, i = b'', 0
    while i < len(text):
        if text[i] != '\\':
            out += text[i].encode()
            i += 1
        elif text[i + 1] == 'x':
            out += bytes([int(text[i + 2:i + 4], 16)])
            i += 4
        else:
            out += ESCAPES[text[i + 1]]
            i += 2
    return out


def pairs(text):
    """key=value key="a value" ... as a list of (key, value), values still escaped."""
    found = []
    for key, value in PAIR.findall(text):
        found.append((key, value[1:-1] if value.startswith('"') else value))
    return found


def matches(pattern, text):
    """Does the whole text fit a pattern, or one of several joined by " or ", in which only * is special?"""
    return any(_fits(one, text) for one in pattern.split(' or '))


def _fits(pattern, text):
    parts = [re.escape(part) for part in pattern.split('*')]
    return re.fullmatch('.*'.join(parts), text, re.DOTALL) is not None


def show(data):
    """Bytes for a message to people."""
    return data.decode('utf-8', 'backslashreplace').replace('\r', '\\r').replace('\n', '\\n').replace('\0', '\\0')
