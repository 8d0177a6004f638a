# tests/support/commit_faults.py - the environment of a relay whose commits are slow, fail or kill (tests/support/fault_lmdb.c).
import os
import subprocess

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))


def commit_faults(fault, build):
    """What must be set for `fault`; the library is made in folder `build` if it is not there. Works with a sanitizer build too."""
    build = os.path.abspath(build)
    shim = os.path.join(build, 'fault_lmdb.so')
    subprocess.run([os.environ.get('MAKE', 'make'), '-s', '--no-print-directory', '-C', ROOT, 'BUILD=' + build, shim], check=True,
                   stdout=subprocess.DEVNULL)
    # It has nothing that the sanitizer replaces, so it may come before it.
    options = ':'.join(filter(None, [os.environ.get('ASAN_OPTIONS'), 'verify_asan_link_order=0']))
    return {'LD_PRELOAD': shim, 'WARMRELAY_FAULT': fault, 'ASAN_OPTIONS': options}
