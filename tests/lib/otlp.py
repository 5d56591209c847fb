"""OTLP/JSON metrics as the real client writes them, for generated clients."""
import json

DELTA, CUMULATIVE = 1, 2


def attributes(d):
    kind = {str: 'stringValue', int: 'intValue', float: 'doubleValue', bool: 'boolValue'}
    return [{'key': k, 'value': {kind[type(v)]: v}} for k, v in d.items()]


def metrics(points, temporality, name='claude_code.cost.usage', unit='USD', resource=None):
    """points: (start_ns, time_ns, value, {attribute: value})"""
    data = [{'attributes': attributes(a), 'startTimeUnixNano': str(s), 'timeUnixNano': str(t), 'asDouble': v}
            for s, t, v, a in points]
    return json.dumps({'resourceMetrics': [{
        'resource': {'attributes': attributes(resource or {'service.name': 'claude-code', 'os.type': 'linux'})},
        'scopeMetrics': [{'scope': {'name': 'com.anthropic.claude_code', 'version': '2.1.330'}, 'metrics': [{
            'name': name, 'unit': unit,
            'sum': {'aggregationTemporality': temporality, 'isMonotonic': True, 'dataPoints': data}}]}]}]}).encode()
