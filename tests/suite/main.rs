//! System tests: the real binary, real mosquitto, real MQTT clients, a real webhook receiver.

mod browser;
mod commands;
mod counters;
mod crowd;
mod formats;
mod full_disk;
mod influx;
mod judged;
mod kill;
mod levels;
mod line;
mod mail;
mod missing;
mod mosquitto;
mod open_pages;
mod outage;
mod pages;
mod refusals;
mod replay;
mod sources;
mod stopping;
mod store_copy;
mod takeover;
mod times;
mod values;
