"""Tests of agentgateway.web."""
