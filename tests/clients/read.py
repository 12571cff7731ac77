"""Reads a running Bakau with the Python client that openapi-generator makes of its document.

Usage: read.py ADDRESS TOKEN, with the generated package in PYTHONPATH.

pydantic refuses what the document does not allow: null where there is no null, a word that is not in the list, another type.
What the model does not know is dropped silently, so each answer is compared with what the model says of it.
"""

import json
import re
import sys
from datetime import datetime, timedelta

import bakau_client
from bakau_client.exceptions import NotFoundException

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT")


def plain(value):
    """A value in which only the spelling of instants and members without a value are gone."""
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items() if member is not None}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, str) and INSTANT.match(value):
        return datetime.fromisoformat(value)
    return value


def differences(sent, read, place=""):
    """Where what was read is not what was sent."""
    if isinstance(sent, dict) and isinstance(read, dict):
        for name in sent.keys() | read.keys():
            yield from differences(sent.get(name), read.get(name), f"{place}/{name}")
    elif isinstance(sent, list) and isinstance(read, list) and len(sent) == len(read):
        for number, pair in enumerate(zip(sent, read)):
            yield from differences(*pair, f"{place}/{number}")
    elif sent != read:
        yield f"{place}: {sent!r} was read as {read!r}"


def read(call, *arguments, **named):
    """Calls a route; gives the model of its answer."""
    response = call(*arguments, **named)
    sent, again = json.loads(response.raw_data), json.loads(response.data.to_json())
    lost = list(differences(plain(sent), plain(again)))
    if lost:
        raise SystemExit(f"{call.__name__} {arguments} {named}: " + "; ".join(lost[:5]))
    print(call.__name__.removesuffix("_with_http_info"), *arguments, *named.values())
    return response.data


def main(address, token):
    settings = bakau_client.Configuration(host=address, access_token=token)
    with bakau_client.ApiClient(settings) as client:
        registry, values = bakau_client.RegistryApi(client), bakau_client.ValuesApi(client)
        alerts, operation = bakau_client.AlertsApi(client), bakau_client.OperationApi(client)

        for station in read(registry.stations_with_http_info).stations:
            read(registry.station_with_http_info, station.id)
        read(registry.datastreams_with_http_info)
        latest = read(values.latest_with_http_info).latest
        assert latest, "the demo has no present value"
        for value in latest[:5]:
            read(values.observations_with_http_info, value.datastream, limit=50)
            read(values.aggregates_with_http_info, value.datastream, step="1h")

        since = latest[0].observed_at - timedelta(days=1)
        listed = read(alerts.alerts_with_http_info).alerts
        assert listed, "the demo has no alert"
        for alert in listed[:20]:
            read(alerts.alert_with_http_info, alert.id)
        # The Go client acknowledges the last one at the same time.
        open_alert = next(alert for alert in listed if alert.closed_at is None and not alert.acknowledged)
        said = bakau_client.Acknowledgement(name="Sari", level=open_alert.level, note="menuju lokasi")
        taken = read(alerts.acknowledge_with_http_info, open_alert.id, said)
        assert taken.acknowledged and taken.acknowledged_by == "Sari", taken
        for rule in read(alerts.rules_with_http_info).rules:
            read(alerts.rule_with_http_info, rule.id)
        read(alerts.settled_with_http_info, datastream=latest[0].datastream, var_from=since)

        read(operation.status_with_http_info)
        read(operation.sources_with_http_info)
        read(operation.ledger_with_http_info)
        for row in read(operation.quarantine_with_http_info).quarantine:
            read(operation.quarantine_row_with_http_info, str(row.id))
        read(operation.readyz_with_http_info)

        try:
            registry.station("tidak-ada")
        except NotFoundException as error:
            assert error.data.status == 404 and error.data.title, error
            read(operation.problem_with_http_info, error.data.type.rsplit("/", 1)[-1])
        else:
            raise SystemExit("a station that is not there was found")


if __name__ == "__main__":
    main(*sys.argv[1:])
