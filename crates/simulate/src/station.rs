//! Stations.
