# tests/support/peer_relay.py - one relay under test: its folder, configuration, process and relayq.
import json
import os
import pwd
import signal
import random
import socket
import subprocess
import time

from peer_text import Failure

START_SECONDS = 20
STOP_SECONDS = 30


def program(variable, name):
    """RELAYD or RELAYQ as given, else of the sanitizer build, else of the plain one."""
    folders = [os.environ.get('BUILD_ASAN'), 'build-address', os.environ.get('BUILD'), 'build']
    candidates = [os.environ.get(variable)] + [os.path.join(folder, name) for folder in folders if folder]
    for candidate in candidates:
        if candidate and os.path.exists(candidate):
            return os.path.abspath(candidate)
    raise SystemExit(f'{name} is not built (looked for {", ".join(c for c in candidates if c)})')


def free_port(taken=set()):
    """A port that nobody uses and that this run has not handed out before; below those that connections going out are given."""
    while True:
        port = random.randrange(12000, 32000)
        with socket.socket() as sock:
            try:
                sock.bind(('0.0.0.0', port))
            except OSError:
                continue
        if port not in taken:
            taken.add(port)
            return port


def make_certificate(folder):
    cert, key = os.path.join(folder, 'cert.pem'), os.path.join(folder, 'key.pem')
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30',
                    '-subj', '/CN=relay.example', '-addext', 'subjectAltName=DNS:relay.example,DNS:mx.example.net',
                    '-keyout', key, '-out', cert], check=True, capture_output=True)
    return cert, key


class Relay:
    def __init__(self, folder):
        self.folder = folder
        self.file = os.path.join(folder, 'relay.yaml')
        self.log_file = os.path.join(folder, 'relayd.log')
        self.port, self.tls_port = free_port(), None
        self.process = None
        self.conf = {
            'hostname': 'relay.example',
            'state': os.path.join(folder, 'state'),
            'control': os.path.join(folder, 'control'),
            'user': pwd.getpwuid(os.geteuid()).pw_name,
            'workers': 1,
            'listen': [{'at': f'127.0.0.1:{self.port}'}],
            'tenants': [{'name': 'shop', 'from': ['127.0.0.0/29']}],
            'sources': [{'name': 'a', 'ip': '127.0.0.11', 'ehlo': 'a.relay.example'}],
            'dns': {'anchors': [], 'timeout': '5s'},
            'delivery': {'tls': 'opportunistic', 'keepalive': '1s', 'drain': '2s', 'refuse_networks': []},
            'retry': {'first': '1s', 'max': '2s'},
            'limits': {'reserve': '0'},
            'hygiene': {'date': False, 'message_id': False},
        }

    def set(self, key, value):
        at = self.conf
        *path, last = key.split('.')
        for part in path:
            at = at.setdefault(part, {})
        at[last] = value

    def use_tls(self, cert, key):
        self.conf['tls'] = {'cert': cert, 'key': key}
        self.conf['listen'][0]['tls'] = 'starttls'
        self.tls_port = free_port()
        self.conf['listen'].append({'at': f'127.0.0.1:{self.tls_port}', 'tls': 'implicit', 'auth': 'optional'})

    def use_proxy(self, header):
        """Believe 127.0.0.1 what it says of others; header: it has to, by the PROXY protocol."""
        self.conf['trusted'] = ['127.0.0.1']
        if header:
            self.conf['listen'][0]['proxy'] = True

    def use_login(self, user, password):
        made = subprocess.run([program('RELAYQ', 'relayq'), 'hash'], input=password + '\n', capture_output=True, text=True,
                              timeout=30)
        if made.returncode != 0:
            raise Failure(f'relayq hash: exit {made.returncode}: {made.stderr.strip()}')
        self.conf['tenants'][0]['logins'] = [{'user': user, 'hash': made.stdout.strip()}]
        self.conf['listen'][0]['auth'] = 'optional'

    def write(self):
        with open(self.file, 'w', encoding='utf-8', opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            json.dump(self.conf, file, indent=1)  # JSON is YAML

    def start(self):
        self.write()
        os.makedirs(self.conf['state'], exist_ok=True)
        with open(self.log_file, 'ab') as log:
            self.process = subprocess.Popen([program('RELAYD', 'relayd'), '-c', self.file], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Failure(f'relayd did not start: exit {self.process.returncode}')
            if os.path.exists(self.conf['control']) and self._accepts():
                return
            time.sleep(0.02)
        raise Failure(f'relayd was not ready after {START_SECONDS} s')

    def _accepts(self):
        try:
            socket.create_connection(('127.0.0.1', self.port), 1).close()
        except OSError:
            return False
        return True

    def signal(self, number):
        self.process.send_signal(number)

    def wait_exit(self, want=0):
        try:
            code = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failure(f'relayd did not end within {STOP_SECONDS} s') from None
        self.process = None
        if code != want:
            raise Failure(f'relayd ended with {code}, wanted {want}')

    def stop(self):
        self.signal(signal.SIGTERM)
        self.wait_exit()

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
            # What a killed one leaves behind would look as if the next one were ready.
            if os.path.exists(self.conf['control']):
                os.unlink(self.conf['control'])
        self.process = None

    def log(self):
        try:
            with open(self.log_file, encoding='utf-8', errors='backslashreplace') as file:
                return file.read()
        except OSError:
            return ''

    def relayq(self, *args, want=0):
        """Standard output of `relayq -c FILE ARGS`."""
        done = subprocess.run([program('RELAYQ', 'relayq'), '-c', self.file, *args], capture_output=True, text=True, timeout=30)
        if want is not None and done.returncode != want:
            raise Failure(f'relayq {" ".join(args)}: exit {done.returncode}, wanted {want}: {done.stdout}{done.stderr}')
        return done.stdout

    def rows(self, *args):
        return [json.loads(line) for line in self.relayq('--json', *args).splitlines()]

    def total(self):
        for row in self.rows('stats'):
            if row.get('total'):
                return row
        raise Failure('relayq stats --json has no total')
