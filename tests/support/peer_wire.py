# tests/support/peer_wire.py - one TCP connection of a script, as server or as client, with all the bad manners a script may ask for.
import select
import socket
import ssl
import struct
import time

from peer_text import Failure, show

TIMEOUT = 15  # seconds for whatever the relay owes us


class Wire:
    def __init__(self, sock):
        self.sock = sock
        self.buffer = b''
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _fill(self, deadline, what):
        """Read more; False at the end of the connection."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise Failure(f'{what}: nothing came in time; so far "{show(self.buffer[-200:])}"')
        self.sock.settimeout(left)
        try:
            data = self.sock.recv(65536)
        except (TimeoutError, ssl.SSLWantReadError):
            return True
        except OSError:
            return False
        self.buffer += data
        return data != b''

    def read_until(self, end, what, timeout=TIMEOUT):
        """The bytes up to and with `end`."""
        deadline = time.monotonic() + timeout
        while end not in self.buffer:
            if not self._fill(deadline, what):
                raise Failure(f'{what}: the connection ended; so far "{show(self.buffer[-200:])}"')
        at = self.buffer.index(end) + len(end)
        data, self.buffer = self.buffer[:at], self.buffer[at:]
        return data

    def read_line(self, what):
        line = self.read_until(b'\r\n', what)[:-2]
        if b'\n' in line or b'\r' in line:
            raise Failure(f'{what}: a bare CR or LF in "{show(line)}"')
        return line

    def read_reply(self, what):
        """A whole reply, its lines joined by LF."""
        lines = []
        while True:
            lines.append(self.read_line(what).decode('utf-8', 'backslashreplace'))
            if lines[-1][3:4] != '-':
                return '\n'.join(lines)

    def read_body(self, what):
        """Message content up to CRLF.CRLF, dots undone."""
        if self.buffer[:3] == b'.\r\n' or (len(self.buffer) < 3 and self._peek(3, what) == b'.\r\n'):
            self.buffer = self.buffer[3:]
            return b''
        data = self.read_until(b'\r\n.\r\n', what, timeout=40)[:-3]
        lines = data.split(b'\r\n')
        for line in lines:
            if line.startswith(b'.') and not line.startswith(b'..'):
                raise Failure(f'{what}: a dot was not doubled in "{show(line)}"')
        return b'\r\n'.join(line[1:] if line.startswith(b'.') else line for line in lines)

    def _peek(self, size, what):
        deadline = time.monotonic() + TIMEOUT
        while len(self.buffer) < size and self._fill(deadline, what):
            pass
        return self.buffer[:size]

    def read_exactly(self, size, what):
        deadline = time.monotonic() + 40
        while len(self.buffer) < size:
            if not self._fill(deadline, what):
                raise Failure(f'{what}: the connection ended after {len(self.buffer)} of {size} bytes')
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def want_end(self, timeout=TIMEOUT):
        deadline = time.monotonic() + timeout
        while self._fill(deadline, 'end of connection'):
            if self.buffer:
                raise Failure(f'the connection should have ended, but there came "{show(self.buffer[:200])}"')
        if self.buffer:
            raise Failure(f'before the end of the connection there came "{show(self.buffer[:200])}"')

    def want_quiet(self, seconds):
        """Nothing may come for so long."""
        deadline = time.monotonic() + seconds
        while not self.buffer and time.monotonic() < deadline:
            try:
                if not self._fill(deadline, 'quiet'):
                    raise Failure('the connection ended while it should have been quiet')
            except Failure as failure:
                if 'in time' not in str(failure):
                    raise
        if self.buffer:
            raise Failure(f'it should have been quiet, but there came "{show(self.buffer[:200])}"')

    def send(self, data):
        self.sock.settimeout(TIMEOUT)
        try:
            self.sock.sendall(data)
        except OSError as error:
            raise Failure(f'cannot send "{show(data[:100])}": {error}') from None

    def trickle(self, data, pause=0.005):
        """A byte at a time, each in a segment of its own."""
        for i in range(len(data)):
            self.send(data[i:i + 1])
            time.sleep(pause)

    def send_endless(self, data, seconds=10):
        """Until the other side has had enough of it."""
        self.sock.settimeout(seconds)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                self.sock.sendall(data * (1 + 4096 // len(data)))
            except TimeoutError:
                break
            except OSError:
                return
            time.sleep(0.002)
        raise Failure(f'"{show(data[:40])}" without end was still being read after {seconds} s')

    def has_input(self, seconds):
        """Is there a byte, or the end, within so long?"""
        if self.buffer:
            return True
        if isinstance(self.sock, ssl.SSLSocket) and self.sock.pending():
            return True
        return bool(select.select([self.sock], [], [], seconds)[0])

    def unread_line(self, line):
        self.buffer = line + b'\r\n' + self.buffer

    @property
    def is_open(self):
        return self.sock.fileno() >= 0

    def start_tls(self, context, server):
        self.sock.settimeout(TIMEOUT)
        try:
            self.sock = context.wrap_socket(self.sock, server_side=server)
        except (ssl.SSLError, OSError) as error:
            raise Failure(f'TLS handshake: {error}') from None

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        self.sock.close()
