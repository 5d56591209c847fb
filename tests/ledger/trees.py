"""Trees of recordings against golden files, of which golden/WHY.md says why each is right.

A golden file has the lanes and every prompt's tree of each session of a recording. After a change that is meant
`tests/ledger/trees.py --write` writes them anew; look at the difference, and at WHY.md."""
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'lib'))
from ccmon import Ccmon  # noqa: E402
import recordings  # noqa: E402

NAMES = ('w-interactive', 'm-agent', 'e3-traces-agent', 'r2-mcp-details', 's-skill', 't-continue', 'h4-refusal', 'o-deny')
LISTS = ('requests', 'tools', 'agents', 'marks', 'prompts')
SESSIONS = '/api/ccmon/v1/sessions/'


def path_of(name):
    return os.path.join(HERE, 'golden', name + '.json')


def one_session(server, session):
    status, _, body = server.request('web', 'GET', SESSIONS + session)
    if status == 404:                              # nothing but a start: no row, or none with its name
        return {'session': session, 'found': False}
    whole = json.loads(body)['data']
    trees = [server.get_json('web', SESSIONS + session + '/prompts/' + p['id'])['data'] for p in whole['prompts']]
    head = dict((k, v) for k, v in whole.items() if k not in LISTS)
    return {'session': session, 'found': True, 'head': head, 'trees': [{'prompt': t['prompt'], 'tree': t['tree']} for t in trees]}


def trees_of(name, sessions):
    with Ccmon() as c:
        for r in recordings.load(name):
            r.send(c)
        return [one_session(c, s) for s in sessions]


def nodes(tree):
    for n in tree:
        yield n
        yield from nodes(n.get('children', []))


def problems(name, got):
    """What must hold of any tree: its requests cost what the prompt cost, and nothing stands in it twice."""
    for s in got:
        for t in s.get('trees', []):
            all_nodes = list(nodes(t['tree']))
            cost = sum(round(n['usd'] * 1e9) for n in all_nodes if n['node'] == 'request' and n['usd'] is not None)
            ids = [(n['node'], n['id']) for n in all_nodes if 'id' in n]
            if cost != int(t['prompt']['spent']['nano_usd']):
                yield '%s: prompt %s cost %s and its tree %d' % (name, t['prompt']['id'], t['prompt']['spent']['nano_usd'], cost)
            if len(ids) != len(set(ids)):
                yield '%s: prompt %s: something stands in its tree twice' % (name, t['prompt']['id'])
            if sum(n['node'] == 'tool' for n in all_nodes) != t['prompt']['tools']:
                yield '%s: prompt %s: its tree does not have its tools' % (name, t['prompt']['id'])


def check_all(truth, check):
    for name in NAMES:
        got = trees_of(name, truth[name]['sessions'])
        check(name + ': its trees', list(problems(name, got)), [])
        check(name + ': its golden file', got == json.load(open(path_of(name))))


def write_all():
    truth = json.load(open(os.path.join(recordings.FIXTURES, 'truth.json')))
    for name in NAMES:
        with open(path_of(name), 'w') as f:
            json.dump(trees_of(name, truth[name]['sessions']), f, indent=1, sort_keys=True)
            f.write('\n')


if __name__ == '__main__':
    if sys.argv[1:] != ['--write']:
        sys.exit('usage: trees.py --write')
    write_all()
