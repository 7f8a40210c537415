"""Tests of agentgateway.ops.dashboard."""
