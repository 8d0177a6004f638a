"""tests/world/messages.py - demo messages as exact bytes, each with a number that finds it again at the receivers."""
import base64
import random
import re
from email.utils import formatdate

KINDS = ("text", "eight-bit", "attachment", "dots", "utf8-header", "encoded-header", "long-lines")


def message(number, kind, sender, rcpts, seed=1):
    """CRLF bytes of one message of a kind; deterministic for (number, seed)."""
    rand = random.Random(number * 7919 + seed)
    head = ["From: <%s>" % sender, "To: " + ", ".join("<%s>" % r for r in rcpts), "Date: " + formatdate(1764000000 + number),
            "Message-ID: <demo-%d.%d@senders.example>" % (seed, number), "X-Demo-Id: %d" % number, "MIME-Version: 1.0"]
    words = lambda n: " ".join(rand.choice(("order", "invoice", "password", "reset", "newsletter", "shipping", "update"))
                               for _ in range(n))
    if kind == "utf8-header":
        head.append("Subject: Grüße aus Köln – Bestellung %d" % number)
    elif kind == "encoded-header":
        head.append("Subject: =?utf-8?B?%s?=" % base64.b64encode(("Überweisung %d" % number).encode()).decode())
    else:
        head.append("Subject: %s %d" % (words(3), number))
    if kind == "attachment":
        blob = base64.encodebytes(rand.randbytes(rand.choice((3000, 40000, 200000)))).decode().splitlines()
        head.append('Content-Type: multipart/mixed; boundary="b%d"' % number)
        body = ["--b%d" % number, "Content-Type: text/plain", "", words(20), "--b%d" % number,
                "Content-Type: application/octet-stream", "Content-Transfer-Encoding: base64", ""] + blob + ["--b%d--" % number]
    elif kind in ("eight-bit", "utf8-header"):
        head += ["Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit"]
        body = ["Schöne Grüße, €%d, 日本語 %s" % (rand.randrange(1000), words(8)) for _ in range(12)]
    elif kind == "dots":
        body = [".", "..", ".leading dot", "", "trailing .", "."]
    elif kind == "long-lines":
        body = ["x" * rand.randrange(900, 990) for _ in range(5)]
    else:
        body = [words(12) for _ in range(rand.randrange(3, 60))]
    return ("\r\n".join(head) + "\r\n\r\n" + "\r\n".join(body) + "\r\n").encode()


DEMO_ID = re.compile(rb"^X-Demo-Id: (\d+)\r?$", re.M)
TRACE = re.compile(rb"(?:(?:Received|Return-Path|Delivered-To|X-Original-To):[^\n]*\n(?:[ \t][^\n]*\n)*)*")


def demo_id(data):
    found = DEMO_ID.search(data)
    return int(found.group(1)) if found else None


def difference(received, original):
    """None when `received` is `original` behind trace fields alone; else words for where they part."""
    if b"\r\n" not in received:  # a Maildir keeps LF
        original = original.replace(b"\r\n", b"\n")
    if not received.endswith(original):
        return "content differs (%d bytes received, %d sent)" % (len(received), len(original))
    if not TRACE.fullmatch(received[:len(received) - len(original)]):
        return "something other than trace fields was added: %r" % received[:200]
    return None
