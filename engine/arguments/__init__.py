"""YAML and command line to a configuration."""
