"""A small PKI in a folder, made with the openssl command: a CA `ca`, a server of it for
localhost and 127.0.0.1, another of the same names, clients, and all of that once more from
a CA that nobody trusts (`other`)."""
import os
import subprocess

SERVER, CLIENT = 'serverAuth', 'clientAuth'


class Certs:
    def __init__(self, folder):
        self.folder = folder
        self.make_ca('ca', 'ccmon test CA')
        self.make_ca('other', 'another CA')
        self.make('server', 'ca', 'one', 'DNS:localhost,IP:127.0.0.1', SERVER)
        self.make('server2', 'ca', 'two', 'DNS:localhost,IP:127.0.0.1', SERVER)
        self.make('client', 'ca', 'dev-1', 'DNS:dev-1.example.test', CLIENT)
        self.make('intruder', 'other', 'dev-1', 'DNS:dev-1.example.test', CLIENT)

    def path(self, name):
        return os.path.join(self.folder, name)

    def read(self, name):
        with open(self.path(name)) as f:
            return f.read()

    def _run(self, *args):
        subprocess.run(('openssl',) + args, cwd=self.folder, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def _key(self, name):
        self._run('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', name + '.key')

    def make_ca(self, name, subject):
        self._key(name)
        self._run('req', '-x509', '-new', '-key', name + '.key', '-subj', '/CN=' + subject, '-days', '30', '-out', name + '.pem',
                  '-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign')

    def make(self, name, ca, subject, names, use):
        self._key(name)
        self._run('req', '-new', '-key', name + '.key', '-subj', '/CN=' + subject, '-out', name + '.csr')
        with open(self.path(name + '.ext'), 'w') as f:
            f.write('basicConstraints=CA:FALSE\nextendedKeyUsage=%s\nsubjectAltName=%s\n' % (use, names))
        self._run('x509', '-req', '-in', name + '.csr', '-CA', ca + '.pem', '-CAkey', ca + '.key', '-CAcreateserial', '-days', '30',
                  '-extfile', name + '.ext', '-out', name + '.pem')
