# tests/support/peer_taker.py - a receiver on loopback that takes mail, and answers recipients as a function says.
import socketserver
import threading

from peer_relay import free_port


class _Session(socketserver.StreamRequestHandler):
    def say(self, text):
        self.wfile.write(text.encode() + b'\r\n')

    def handle(self):
        taker, rcpts = self.server.taker, []
        self.say('220 mx.example.net ESMTP')
        while True:
            line = self.rfile.readline().decode('utf-8', 'replace').rstrip('\r\n')
            verb = line[:4].upper()
            if not line or verb == 'QUIT':
                return
            if verb == 'EHLO':
                self.say('250-mx.example.net\r\n250 SMTPUTF8')
            elif verb == 'RCPT':
                rcpt = line[8:].split('>')[0].lstrip('<')
                taker.asked.append(rcpt)
                reply = taker.refuse(rcpt)
                if reply is None:
                    rcpts.append(rcpt)
                self.say(reply or '250 2.1.5 ok')
            elif verb == 'DATA':
                self.say('354 go on')
                text = b''.join(iter(self.rfile.readline, b'.\r\n')).decode('utf-8', 'replace')
                taker.taken += [(rcpt, text) for rcpt in rcpts]
                rcpts = []
                self.say('250 2.0.0 taken')
            else:
                self.say('250 ok')


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


class Taker:
    """Takes what `refuse` (recipient: a reply, or None) lets pass; `asked` and `taken` tell what came, in order."""

    def __init__(self, refuse=lambda rcpt: None):
        self.refuse, self.asked, self.taken = refuse, [], []
        self.port = free_port()
        self.server = _Server(('127.0.0.1', self.port), _Session)
        self.server.taker = self
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def to(self, rcpt):
        return [text for to, text in self.taken if to == rcpt]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
