# tests/support/peer_script.py - runs one script: each line is a directive, executed in order. tests/peers/README.md lists them.
import base64
import email
import json
import os
import quopri
import re
import shutil
import signal
import socket
import ssl
import tempfile
import time

from peer_dns import Dns
from peer_relay import Relay, free_port
from peer_text import Failure, matches, pairs, show, unescape
from peer_wire import TIMEOUT, Wire

TEXT = b'From: a@example.org\r\nTo: b@example.net\r\nSubject: a test\r\nMessage-ID: <1@example.org>\r\n\r\nHello.\r\n'
TRACE = re.compile(rb'Received: [^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*')


def content_of(part):
    """The decoded text of a MIME part with LF lines, of a message too: Python would take its header for one, encoded or not."""
    body = part.as_bytes().replace(b'\r\n', b'\n').partition(b'\n\n')[2]
    coding = part.get('Content-Transfer-Encoding', '7bit')
    body = base64.b64decode(body) if coding == 'base64' else quopri.decodestring(body) if coding == 'quoted-printable' else body
    return body.replace(b'\r\n', b'\n').decode()


class Script:
    def __init__(self, path, certificate):
        self.path, self.certificate = path, certificate
        self.folder = tempfile.mkdtemp(prefix='warmrelay-peer-')
        self.relay = Relay(self.folder)
        self.dns = None
        self.listeners = {}      # host name -> listening socket
        self.conns, self.conn = [], None
        self.client = None
        self.bodies = {}         # name -> bytes as submitted
        self.ids = {}            # name -> ID
        self.port = None
        self.chunk = 0           # bytes of the last BDAT
        self.started = False     # once; it may have ended since
        self.running = False

    # --- the life of a script -----------------------------------------------------------------------------------------

    def run(self):
        """Raises Failure with the line it happened in."""
        number, line = 0, ''
        try:
            with open(self.path, encoding='utf-8') as file:
                for number, line in enumerate(file, 1):
                    line = line.strip()
                    if line and not line.startswith('#'):
                        self.step(line)
            number, line = number + 1, 'end: SIGTERM, exit 0'
            self.finish()
        except (Failure, OSError, ValueError, KeyError) as problem:
            text = str(problem) if isinstance(problem, Failure) else repr(problem)
            raise Failure(f'line {number}: {line}\n{text}\n--- log\n{self.relay.log()[-3000:]}') from None
        finally:
            self.clean()

    def step(self, line):
        word, _, rest = line.partition(' ')
        action = getattr(self, 'do_' + word, None)
        if action is None:
            raise Failure(f'unknown directive {word}')
        if not self.started and word not in SETUP:
            self.start()
        action(rest.strip())

    def start(self):
        if not self.listeners:
            self.do_host('main 127.0.0.1')
            self.relay.conf['routes'] = [{'domain': '*', 'to': f'127.0.0.1:{self.port}'}]
        if self.dns:
            self.relay.conf['dns']['forward'] = [f'127.0.0.1@{self.dns.port}']
        self.relay.start()
        self.started = self.running = True

    def finish(self):
        for conn in self.conns:
            conn.close()
        if self.client:
            self.client.close()
        if self.running:
            self.relay.stop()

    def clean(self):
        for conn in self.conns:
            conn.close()
        for listener in self.listeners.values():
            listener.close()
        if self.dns:
            self.dns.close()
        self.relay.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- set-up ---------------------------------------------------------------------------------------------------------

    def do_set(self, rest):
        key, _, value = rest.partition(' ')
        self.relay.set(key, json.loads(value) if value.startswith('[') else value.strip())

    def do_source(self, rest):
        name, address = rest.split()
        self.relay.conf['sources'].append({'name': name, 'ip': address, 'ehlo': f'{name}.relay.example'})

    def do_tenant(self, rest):
        """tenant domains=example.org,... quota.hour=2"""
        for key, value in pairs(rest):
            at = self.relay.conf['tenants'][0]
            *path, last = key.split('.')
            for part in path:
                at = at.setdefault(part, {})
            at[last] = value.split(',') if key in ('domains', 'from') else value

    def do_with(self, rest):
        if 'tls' in rest.split():
            self.relay.use_tls(*self.certificate)
        if 'login' in rest.split():
            self.relay.use_login('shop', 'secret word')
        if 'proxy' in rest.split() or 'xclient' in rest.split():
            self.relay.use_proxy('proxy' in rest.split())

    def do_host(self, rest):
        """host NAME ADDRESS: a server that listens there, all on the same port."""
        name, address = rest.split()
        self.port = self.port or free_port()
        listener = socket.create_server((address, self.port), backlog=50)
        self.relay.set('delivery.port', self.port)
        self.listeners[name] = listener
        if name != 'main':
            self._dns().add(name, 'A', address)

    def do_ourselves(self, rest):
        """The relay listens where mail is delivered to: at 127.0.0.1, on the port of the hosts."""
        self.relay.port = self.port
        self.relay.conf['listen'][0]['at'] = f'127.0.0.1:{self.port}'

    def do_dns(self, rest):
        """dns NAME MX PREFERENCE HOST | NAME A ADDRESS | NAME AAAA ADDRESS | NAME CNAME OTHER | NAME SERVFAIL"""
        name, kind, *value = rest.split()
        if kind == 'SERVFAIL':
            self._dns().failing.add(name)
        else:
            self._dns().add(name, kind, (int(value[0]), value[1]) if kind == 'MX' else value[0])
        if not self.listeners:
            self.do_host('unused.test 127.0.0.1')

    def _dns(self):
        if self.dns is None:
            self.dns = Dns()
        return self.dns

    # --- handing mail in ------------------------------------------------------------------------------------------------

    def do_submit(self, rest):
        """submit from=A to=B,C [body="..."] [size=N] [with="PARAMETERS"] [name=N]"""
        given = dict(pairs(rest))
        body = unescape(given['body']) if 'body' in given else TEXT
        if 'size' in given:
            line = b'%05d ' + b'x' * 60 + b'\r\n'
            body += b''.join(line % i for i in range(int(given['size']) // 68))
        name = given.get('name', f'm{len(self.bodies) + 1}')
        wire = Wire(socket.create_connection(('127.0.0.1', self.relay.port), TIMEOUT))
        stuffed = re.sub(rb'(?m)^\.', b'..', body)
        steps = [(None, '220'), (b'EHLO client.example', '250'),
                 (b'MAIL FROM:<' + given['from'].encode() + b'> ' + given.get('with', '').encode(), '250')]
        steps += [(b'RCPT TO:<' + to.encode() + b'>', '250') for to in given['to'].split(',')]
        steps += [(b'DATA', '354'), (stuffed + (b'' if body.endswith(b'\r\n') else b'\r\n') + b'.', '250')]
        for command, code in steps:
            if command is not None:
                wire.send(command.rstrip(b' ') + b'\r\n')
            reply = wire.read_reply('submit')
            if not reply.startswith(code):
                raise Failure(f'submit: {show((command or b"")[:100])} was answered "{reply}"')
        wire.send(b'QUIT\r\n')
        wire.close()
        found = re.search(r'queued as (\S+)', reply)
        if not found:
            raise Failure(f'submit: no "queued as ID" in "{reply}"')
        self.bodies[name] = body if body.endswith(b'\r\n') else body + b'\r\n'
        self.ids[name] = found.group(1)

    # --- playing a receiving server -------------------------------------------------------------------------------------

    def do_peer(self, rest):
        """peer [@HOST] [from=ADDRESS] REPLY: take the next connection and greet it."""
        name, source = next(iter(self.listeners)), None
        if rest.startswith('@'):
            host, _, rest = rest[1:].partition(' ')
            name = host
        if rest.startswith('from='):
            source, _, rest = rest[5:].partition(' ')
        listener = self.listeners[name]
        listener.settimeout(TIMEOUT)
        try:
            sock, address = listener.accept()
        except TimeoutError:
            raise Failure('nobody connected') from None
        self.conn = Wire(sock)
        self.conns.append(self.conn)
        if source and address[0] != source:
            raise Failure(f'the connection came from {address[0]}')
        self.answer(rest)

    def do_ready(self, rest):
        """ready [@HOST] [KEYWORD,KEYWORD...]: have a connection on which MAIL comes next, be it one that was kept or a new one."""
        name = next(iter(self.listeners))
        if rest.startswith('@'):
            host, _, rest = rest[1:].partition(' ')
            name = host
        if not self._next_mail(name, rest, TIMEOUT):
            raise Failure('no MAIL came')

    def _next_mail(self, name, keywords, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for conn in [conn for conn in self.conns if conn.is_open]:
                if conn.has_input(0) and self._between_mails(conn, keywords):
                    self.conn = conn
                    return True
            self.listeners[name].settimeout(0.05)
            try:
                conn = Wire(self.listeners[name].accept()[0])
            except TimeoutError:
                continue
            self.conns.append(conn)
            conn.send(b'220 mx.example.net ESMTP\r\n')
        return False

    @staticmethod
    def _between_mails(conn, keywords):
        """Answer one line; True, with the line unread, when it is MAIL."""
        try:
            line = conn.read_line('between messages')
        except Failure:
            conn.close()
            return False
        if line.startswith(b'MAIL '):
            conn.unread_line(line)
            return True
        words = ['mx.example.net'] + [word for word in keywords.split(',') if word]
        lines = [f'250{"-" if i + 1 < len(words) else " "}{word}' for i, word in enumerate(words)]
        conn.send('\r\n'.join(lines).encode() + b'\r\n' if line.startswith(b'EHLO ') else b'250 ok\r\n')
        if line == b'QUIT':
            conn.close()
        return False

    def do_refuse(self, rest):
        """refuse REPLY until PATTERN: answer every MAIL so, until one fits."""
        reply, _, pattern = rest.partition(' until ')
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            self.do_ready('')
            line = self.conn.read_line('MAIL')
            if matches(pattern, line.decode('utf-8', 'backslashreplace')):
                self.conn.unread_line(line)
                return
            self.answer(reply)
        raise Failure(f'no {pattern} came')

    def do_nomail(self, rest):
        """nomail SECONDS: no MAIL comes for so long, on no connection."""
        if self._next_mail(next(iter(self.listeners)), '', float(rest)):
            raise Failure(f'there came {show(self.conn.read_line("MAIL"))}')

    def do_use(self, rest):
        """use N: go on with the N-th connection."""
        self.conn = self.conns[int(rest) - 1]

    def do_want(self, rest):
        """want PATTERN [=> REPLY], want body|chunk [of NAME] [=> REPLY], want report FIELDS [=> REPLY], want end"""
        pattern, arrow, reply = rest.partition('=>')
        pattern = pattern.strip()
        if pattern == 'end':
            self.conn.want_end()
        elif pattern.split(' ')[0] == 'body':
            self.compare_body(pattern, self.conn.read_body(pattern))
        elif pattern.split(' ')[0] == 'chunk':
            self.compare_body(pattern, self.conn.read_exactly(self.chunk, pattern))
        elif pattern.split(' ')[0] == 'report':
            self.want_report(pattern)
        else:
            line = self.conn.read_line(f'want {pattern}')
            if not matches(pattern, line.decode('utf-8', 'backslashreplace')):
                raise Failure(f'got "{show(line)}"')
            if line.startswith(b'BDAT '):
                self.chunk = int(line.split()[1])
        if arrow:
            self.answer(reply.strip())

    def compare_body(self, pattern, data):
        name = pattern.partition(' of ')[2] or 'm1'
        trace = TRACE.match(data)
        if not trace:
            raise Failure(f'no Received field first in "{show(data[:300])}"')
        data, want = data[trace.end():], self.bodies[name]
        if data != want:
            at = next((i for i, (a, b) in enumerate(zip(data, want)) if a != b), min(len(data), len(want)))
            raise Failure(f'body differs at byte {at} ({len(data)} bytes, wanted {len(want)}):\n'
                          f'got  "{show(data[max(0, at - 40):at + 60])}"\nwant "{show(want[max(0, at - 40):at + 60])}"')

    def want_report(self, pattern):
        raw = self.conn.read_body(pattern)
        message = email.message_from_bytes(raw)
        if message.get_content_type() != 'multipart/report':
            raise Failure(f'no multipart/report: "{show(raw[:500])}"')
        status, original = message.get_payload()[1:]
        fields = {'type': status.get_content_type(), 'original-type': original.get_content_type(), 'ascii': 'yes' if raw.isascii() else 'no'}
        for block in content_of(status).strip().split('\n\n'):
            for key, value in email.message_from_string(block).items():
                fields[key.lower()] = ' '.join(value.split())
        fields['to'], fields['subject'] = str(message['To']), message['Subject']
        fields['original'] = content_of(original)
        for key, value in pairs(pattern):
            if key.lower() not in fields or not matches(value, fields[key.lower()]):
                raise Failure(f'report: {key} is "{fields.get(key.lower())}", wanted "{value}"')

    def answer(self, reply):
        """REPLY, or: silence, close, reset, raw BYTES, slowly REPLY, endless REPLY"""
        word, _, rest = reply.partition(' ')
        if word == 'close':
            self.conn.close()
        elif word == 'reset':
            self.conn.reset()
        elif word == 'raw':
            self.conn.send(unescape(rest))
        elif word == 'slowly':
            self.conn.trickle(unescape(rest) + b'\r\n', 0.02)
        elif word == 'endless':
            self.conn.send_endless(unescape(rest))
        elif word != 'silence':
            self.conn.send(unescape(reply) + b'\r\n')

    def do_reply(self, rest):
        self.answer(rest)

    def do_quiet(self, rest):
        """quiet SECONDS: the relay says nothing for so long."""
        self.conn.want_quiet(float(rest))

    def do_starttls(self, rest):
        """The handshake of the current connection (server side), or of the client."""
        if rest == 'client':
            self.client.start_tls(self.client_context(), server=False)
            return
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.certificate)
        self.conn.start_tls(context, server=True)

    def do_nobody(self, rest):
        """nobody [@HOST] SECONDS: no connection comes for so long."""
        name, _, seconds = rest.partition(' ') if rest.startswith('@') else ('', '', rest)
        listener = self.listeners[name[1:] or next(iter(self.listeners))]
        listener.settimeout(float(seconds))
        try:
            _, address = listener.accept()
        except TimeoutError:
            return
        raise Failure(f'there came a connection from {address[0]}')

    def do_down(self, rest):
        """down HOST: nothing listens there any more."""
        self.listeners[rest].close()

    # --- playing a client -----------------------------------------------------------------------------------------------

    @staticmethod
    def client_context():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context

    def do_connect(self, rest):
        """connect [tls] [from=ADDRESS]"""
        if self.client:
            self.client.close()
        self.do_another(rest)

    def do_another(self, rest):
        """another [tls] [from=ADDRESS]: connect, and leave the connection before open."""
        words = rest.split()
        source = dict(pairs(rest)).get('from', '127.0.0.1')
        port = self.relay.tls_port if 'tls' in words else self.relay.port
        self.conns += [self.client] if self.client and self.client.is_open else []
        self.client = Wire(socket.create_connection(('127.0.0.1', port), TIMEOUT, (source, 0)))
        if 'tls' in words:
            self.client.start_tls(self.client_context(), server=False)

    def do_client(self, rest):
        self.client.send(unescape(rest))

    def do_body(self, rest):
        """body NAME BYTES: what a message that the client lines hand in must look like for `want body of NAME`."""
        name, _, text = rest.partition(' ')
        self.bodies[name] = unescape(text)

    def do_trickle(self, rest):
        self.client.trickle(unescape(rest))

    def do_expect(self, rest):
        """expect PATTERN [unless PATTERN] (the lines of a reply are joined by LF), or end"""
        if rest == 'end':
            self.client.want_end()
            return
        reply = self.client.read_reply(f'expect {rest}')
        found = re.search(r'queued as (\S+)', reply)
        if found:
            self.ids[f'm{len(self.ids) + 1}'] = found.group(1)
        pattern, _, never = rest.partition(' unless ')
        if not matches(pattern, reply) or (never and matches(never, reply)):
            raise Failure(f'got "{reply}"')

    def do_silent(self, rest):
        """silent SECONDS: the relay says nothing to the client for so long."""
        self.client.want_quiet(float(rest))

    # --- what the relay knows -------------------------------------------------------------------------------------------

    def until(self, check):
        """Repeat until check() has no complaint."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            complaint = check()
            if not complaint:
                return
            if time.monotonic() > deadline:
                raise Failure(complaint)
            time.sleep(0.1)

    def do_queue(self, rest):
        """queue LOCAL=STATE...: as relayq list says; gone: not listed. queue empty"""
        wanted = {} if rest == 'empty' else dict(pairs(rest))

        def check():
            rows = self.relay.rows('list')
            # A slow machine may find deferred mail in its next attempt already.
            states = {row['rcpt']: 'deferred' if row['state'] == 'active' and row['attempts'] else row['state'] for row in rows}
            states.update({rcpt.rpartition('@')[0]: state for rcpt, state in list(states.items())})
            if not wanted and rows:
                return f'the queue is not empty: {rows}'
            bad = {key: states.get(key, 'gone') for key, want in wanted.items() if states.get(key, 'gone') != want}
            return f'the queue has {bad}, of {rows}' if bad else None
        self.until(check)

    def do_total(self, rest):
        """total KEY=N...: of the last line of relayq stats --json"""
        def check():
            total = self.relay.total()
            bad = {key: total.get(key) for key, want in pairs(rest) if total.get(key) != int(want)}
            return f'relayq stats has {bad} in {total}' if bad else None
        self.until(check)

    def do_relayq(self, rest):
        """relayq ARGS: exit 0. $NAME stands for the ID of a message."""
        args = [self.ids.get(word[1:], word) if word.startswith('$') else word for word in rest.split()]
        self.relay.relayq(*args)

    def do_shown(self, rest):
        """shown ID TEXT: relayq show has it, soon."""
        name, _, text = rest.partition(' ')
        ident = self.ids[name[1:]]
        self.until(lambda: None if text in self.relay.relayq('show', ident) else self.relay.relayq('show', ident))

    def do_unshown(self, rest):
        """unshown ID TEXT: relayq show does not have it, neither does the whole of it in JSON."""
        name, _, text = rest.partition(' ')
        for options in ([], ['--json']):
            if text in self.relay.relayq(*options, 'show', self.ids[name[1:]]):
                raise Failure('it is shown')

    def do_log(self, rest):
        """log PATTERN: a line of the log fits, soon."""
        self.until(lambda: None if any(matches(rest, line) for line in self.relay.log().splitlines()) else 'no such line')

    # --- time and the life of the daemon --------------------------------------------------------------------------------

    def do_pass(self, rest):
        time.sleep(float(rest))

    def do_restart(self, rest):
        """restart, restart killed"""
        if rest == 'killed':
            self.relay.kill()
        else:
            self.relay.stop()
        self.relay.start()

    def do_term(self, rest):
        """SIGTERM; the end is looked at by `exit`."""
        self.relay.signal(signal.SIGTERM)

    def do_exit(self, rest):
        self.relay.wait_exit(int(rest))
        self.running = False


SETUP = {'set', 'source', 'tenant', 'with', 'host', 'dns', 'ourselves'}
