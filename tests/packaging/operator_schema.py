"""The part of the Prometheus operator's two kinds (monitoring.coreos.com/v1) that the chart may use.

Written down from the operator's API reference: fields, types, enumerations and patterns as its custom
resource definitions have them, closed, so that a misspelt field is an error here as it is lost in a cluster.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

DURATION = {
    "type": "string",
    "pattern": "^(0|(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)?)$",
    "minLength": 1,
}
LABEL_NAME = {"type": "string", "pattern": "^[a-zA-Z_][a-zA-Z0-9_]*$"}


def closed(required: tuple[str, ...] = (), **properties: Schema) -> Schema:
    """Return an object's schema that knows these properties only."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": properties,
    }


def texts(**limits: Any) -> Schema:
    """Return the schema of a map from text to text."""
    return {"type": "object", "additionalProperties": {"type": "string"}, **limits}


def listed(item: Schema, **limits: Any) -> Schema:
    """Return a list's schema."""
    return {"type": "array", "items": item, **limits}


TEXT = {"type": "string"}
KEY_OF_SECRET = closed(("key",), key=TEXT, name=TEXT, optional={"type": "boolean"})
SECRET_OR_CONFIG_MAP = closed(secret=KEY_OF_SECRET, configMap=KEY_OF_SECRET)
METADATA = closed(
    ("name", "namespace"), name=TEXT, namespace=TEXT, labels=texts(), annotations=texts(minProperties=1)
)
RELABELING = closed(
    sourceLabels=listed(LABEL_NAME),
    separator=TEXT,
    targetLabel=TEXT,
    regex=TEXT,
    modulus={"type": "integer"},
    replacement=TEXT,
    action={
        "enum": [
            *("replace", "Replace", "keep", "Keep", "drop", "Drop", "hashmod", "HashMod"),
            *("labelmap", "LabelMap", "labeldrop", "LabelDrop", "labelkeep", "LabelKeep"),
            *("lowercase", "Lowercase", "uppercase", "Uppercase"),
            *("keepequal", "KeepEqual", "dropequal", "DropEqual"),
        ]
    },
)
TLS_CONFIG = closed(
    ca=SECRET_OR_CONFIG_MAP,
    cert=SECRET_OR_CONFIG_MAP,
    keySecret=KEY_OF_SECRET,
    serverName=TEXT,
    insecureSkipVerify={"type": "boolean"},
    caFile=TEXT,
    certFile=TEXT,
    keyFile=TEXT,
)
ENDPOINT = closed(
    port=TEXT,
    path=TEXT,
    scheme={"enum": ["http", "https"]},
    interval=DURATION,
    scrapeTimeout=DURATION,
    honorLabels={"type": "boolean"},
    basicAuth=closed(username=KEY_OF_SECRET, password=KEY_OF_SECRET),
    tlsConfig=TLS_CONFIG,
    relabelings=listed(RELABELING),
    metricRelabelings=listed(RELABELING, minItems=1),
)
SERVICE_MONITOR = closed(
    ("apiVersion", "kind", "metadata", "spec"),
    apiVersion={"const": "monitoring.coreos.com/v1"},
    kind={"const": "ServiceMonitor"},
    metadata=METADATA,
    spec=closed(
        ("selector", "endpoints"),
        jobLabel=TEXT,
        namespaceSelector=closed(any={"type": "boolean"}, matchNames=listed(TEXT)),
        selector=closed(matchLabels=texts(minProperties=1)),
        endpoints=listed(ENDPOINT, minItems=1),
    ),
)
RULE = closed(
    ("expr",),
    record=TEXT,
    alert=TEXT,
    expr=TEXT,
    labels=texts(),
    annotations=texts(),
    keep_firing_for=DURATION,
    **{"for": DURATION},
)
PROMETHEUS_RULE = closed(
    ("apiVersion", "kind", "metadata", "spec"),
    apiVersion={"const": "monitoring.coreos.com/v1"},
    kind={"const": "PrometheusRule"},
    metadata=METADATA,
    spec=closed(
        ("groups",),
        groups=listed(
            closed(
                ("name", "rules"),
                name={"type": "string", "minLength": 1},
                interval=DURATION,
                limit={"type": "integer"},
                rules=listed(
                    {**RULE, "oneOf": [{"required": ["alert"]}, {"required": ["record"]}]}, minItems=1
                ),
            ),
            minItems=1,
        ),
    ),
)
KINDS = {"ServiceMonitor": SERVICE_MONITOR, "PrometheusRule": PROMETHEUS_RULE}
