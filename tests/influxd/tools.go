//go:build tools

// Package tools names the program whose version go.mod fixes: the server that the InfluxDB tests start.
package tools

import _ "github.com/influxdata/influxdb/v2/cmd/influxd"
