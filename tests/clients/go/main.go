// Reads a running Bakau with the Go client that openapi-generator makes of its document.
//
// Usage: read ADDRESS TOKEN. The generated package lies in the folder client.
//
// The client refuses members that the document does not have, members that are missing, and words that are not in a list.
// A null becomes an empty value silently, so each answer is compared with what its model says again.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	bakau "bakau.test/read/client"
)

func fail(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", arguments...)
	os.Exit(1)
}

// plain leaves out members without a value and reads instants, whose spelling may differ.
func plain(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			if member == nil {
				delete(value, name)
			} else {
				value[name] = plain(member)
			}
		}
	case []any:
		for number, item := range value {
			value[number] = plain(item)
		}
	case string:
		if at, err := time.Parse(time.RFC3339Nano, value); err == nil {
			return at.UnixMilli()
		}
	}
	return value
}

func parse(text []byte) any {
	var value any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		fail("%s is no JSON: %v", text, err)
	}
	return numbers(plain(value))
}

// numbers makes 1.50 and 1.5 the same.
func numbers(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			value[name] = numbers(member)
		}
	case []any:
		for number, item := range value {
			value[number] = numbers(item)
		}
	case json.Number:
		number, err := value.Float64()
		if err != nil {
			fail("%s is no number: %v", value, err)
		}
		return number
	}
	return value
}

func read[T any](name string, answer *T, response *http.Response, err error) *T {
	if err != nil {
		fail("%s: %v", name, err)
	}
	sent, err := io.ReadAll(response.Body)
	if err != nil {
		fail("%s: %v", name, err)
	}
	again, err := json.Marshal(answer)
	if err != nil {
		fail("%s: %v", name, err)
	}
	if !reflect.DeepEqual(parse(sent), parse(again)) {
		fail("%s was read as something else:\n%s\n%s", name, sent, again)
	}
	fmt.Println(name)
	return answer
}

func main() {
	if len(os.Args) != 3 {
		fail("usage: read ADDRESS TOKEN")
	}
	settings := bakau.NewConfiguration()
	settings.Servers = bakau.ServerConfigurations{{URL: os.Args[1]}}
	client := bakau.NewAPIClient(settings)
	open := context.Background()
	admin := context.WithValue(open, bakau.ContextAccessToken, os.Args[2])

	answer, response, err := client.RegistryAPI.Stations(open).Execute()
	for _, station := range read("stations", answer, response, err).Stations {
		answer, response, err := client.RegistryAPI.Station(open, station.Id).Execute()
		read("station "+station.Id, answer, response, err)
	}
	datastreams, response, err := client.RegistryAPI.Datastreams(open).Execute()
	read("datastreams", datastreams, response, err)
	latest, response, err := client.ValuesAPI.Latest(open).Execute()
	present := read("latest", latest, response, err).Latest
	if len(present) == 0 {
		fail("the demo has no present value")
	}
	for _, value := range present[:min(5, len(present))] {
		page, response, err := client.ValuesAPI.Observations(open).Datastream(value.Datastream).Limit(50).Execute()
		read("observations "+value.Datastream, page, response, err)
		sums, response, err := client.ValuesAPI.Aggregates(open).Datastream(value.Datastream).Step("1h").Execute()
		read("aggregates "+value.Datastream, sums, response, err)
	}

	alerts, response, err := client.AlertsAPI.Alerts(open).Execute()
	listed := read("alerts", alerts, response, err).Alerts
	if len(listed) == 0 {
		fail("the demo has no alert")
	}
	for _, alert := range listed[:min(20, len(listed))] {
		answer, response, err := client.AlertsAPI.Alert(open, alert.Id).Execute()
		read("alert "+alert.Id, answer, response, err)
	}
	// The Python client acknowledges the first one at the same time.
	var last *bakau.Alert
	for number, alert := range listed {
		if alert.ClosedAt.Get() == nil && !alert.Acknowledged {
			last = &listed[number]
		}
	}
	if last == nil {
		fail("no alert to acknowledge")
	}
	said := bakau.NewAcknowledgement("Budi")
	said.SetLevel(last.Level)
	said.SetNote("menuju lokasi")
	taken, response, err := client.AlertsAPI.Acknowledge(admin, last.Id).Acknowledgement(*said).Execute()
	if now := read("acknowledge "+last.Id, taken, response, err); !now.Acknowledged || now.GetAcknowledgedBy() != "Budi" {
		fail("acknowledged as %v", now)
	}

	rules, response, err := client.AlertsAPI.Rules(open).Execute()
	for _, rule := range read("rules", rules, response, err).Rules {
		answer, response, err := client.AlertsAPI.Rule(open, rule.Id).Execute()
		read("rule "+rule.Id, answer, response, err)
	}
	since := present[0].ObservedAt.Add(-24 * time.Hour)
	settled, response, err := client.AlertsAPI.Settled(open).Datastream(present[0].Datastream).From(since).Execute()
	read("settled", settled, response, err)

	status, response, err := client.OperationAPI.Status(open).Execute()
	read("status", status, response, err)
	sources, response, err := client.OperationAPI.Sources(open).Execute()
	read("sources", sources, response, err)
	ledger, response, err := client.OperationAPI.Ledger(open).Execute()
	read("ledger", ledger, response, err)
	quarantine, response, err := client.OperationAPI.Quarantine(admin).Execute()
	for _, row := range read("quarantine", quarantine, response, err).Quarantine {
		answer, response, err := client.OperationAPI.QuarantineRow(admin, strconv.FormatInt(row.Id, 10)).Execute()
		read(fmt.Sprintf("quarantine_row %d", row.Id), answer, response, err)
	}
	ready, response, err := client.OperationAPI.Readyz(open).Execute()
	read("readyz", ready, response, err)

	_, response, err = client.RegistryAPI.Station(open, "tidak-ada").Execute()
	problem, is := err.(*bakau.GenericOpenAPIError)
	if !is || response.StatusCode != http.StatusNotFound {
		fail("a station that is not there: %v", err)
	}
	refusal, is := problem.Model().(bakau.Problem)
	if !is || refusal.Status != http.StatusNotFound {
		fail("a station that is not there: %v", problem.Model())
	}
	key := strings.TrimPrefix(refusal.Type, "/problems/")
	kind, response, err := client.OperationAPI.Problem(open, key).Execute()
	read("problem "+key, kind, response, err)
}
