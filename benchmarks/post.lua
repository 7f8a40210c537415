-- One call of an agent: a message of about 1 KB, not streamed.
local words = "Please weigh the two plans against each other and name the weaker one. "
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
wrk.headers["anthropic-version"] = "2023-06-01"
wrk.headers["x-agent-id"] = "bench"
wrk.headers["x-api-key"] = "not-a-key"
wrk.headers["x-standin-bytes"] = "700"
wrk.body = '{"model":"claude-sonnet-4-5","max_tokens":400,"messages":[{"role":"user","content":"' .. words:rep(13) .. '"}]}'
