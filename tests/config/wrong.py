"""A table of mistakes: the text of a file, and after `=>` the line its author gets (without the name of the file)."""

_TABLE = r"""
gatway: {}
=> :1: gatway: expected a known key (did you mean "gateway"?), got "gatway"

nothing_like_it: 1
=> :1: nothing_like_it: expected a known key, got "nothing_like_it"

gateway:
  prot: 1
=> :2: gateway.prot: expected a known key (did you mean "port"?), got "prot"

gateway: {port: true}
=> :1: gateway.port: expected a whole number from 0 to 65535, got true

gateway: {port: 65536}
=> :1: gateway.port: expected a whole number from 0 to 65535, got 65536

gateway: {port: '80'}
=> :1: gateway.port: expected a whole number from 0 to 65535, got "80"

gateway: {port: 017}
=> :1: gateway.port: expected a whole number from 0 to 65535, got 017

gateway: {port: 12:30}
=> :1: gateway.port: expected a whole number from 0 to 65535, got "12:30"

gateway: {host: 'a b'}
=> :1: gateway.host: expected an address such as 127.0.0.1, got "a b"

gateway: {state_dir: /dev/null/below}
=> :1: gateway.state_dir: expected a folder, got /dev/null, which is a file

gateway: {header_timeout: .inf}
=> :1: gateway.header_timeout: expected a number of seconds above 0, got .inf

gateway: {header_timeout: .nan}
=> :1: gateway.header_timeout: expected a number of seconds above 0, got .nan

gateway: {idle_timeout: -1}
=> :1: gateway.idle_timeout: expected a number of seconds above 0, got -1

gateway: {loopback_reads: 1}
=> :1: gateway.loopback_reads: expected true or false, got 1

gateway: {loopback_reads: 'no'}
=> :1: gateway.loopback_reads: expected true or false, got "no"

gateway: {timezone: Europe/Berlyn}
=> :1: gateway.timezone: expected a time zone such as Europe/Berlin, got "Europe/Berlyn"

gateway: {timezone: ../etc/passwd}
=> :1: gateway.timezone: expected a time zone such as Europe/Berlin, got "../etc/passwd"

gateway: {timezone: America}
=> :1: gateway.timezone: expected a time zone such as Europe/Berlin, got "America"

gateway: {listen: tcp}
=> :1: gateway.listen: expected a list of endpoints, got "tcp"

gateway: {listen: []}
=> :1: gateway.listen: expected a list of at least one endpoint, got an empty one

gateway: {listen: ['tpc:8']}
=> :1: gateway.listen[0]: expected an endpoint such as "tcp:8080:interface=127.0.0.1" (did you mean "tcp"?), got "tpc:8"

gateway:
  port: 1
  listen: ['tcp:80']
=> :3: gateway.listen: expected either listen, or host and port, got both

agents: []
=> :1: agents: expected a mapping, got a list

agents: {a: oops}
=> :1: agents.a: expected a mapping, got a single value

agents: {'a b': {}}
=> :1: agents.a b: expected a name of the form [A-Za-z0-9._-]{1,128} or "*", got "a b"

agents: {a: {model: 5}}
=> :1: agents.a.model: expected a string (in quotes), got 5

agents: {a: {model: true}}
=> :1: agents.a.model: expected a string (in quotes), got true

agents: {a: {model: [x]}}
=> :1: agents.a.model: expected a string, got a list

agents: {a: {model: "x\0y"}}
=> :1: agents.a.model: expected a string of printable characters, got "x\x00y"

agents: {a: {provider: antropic}}
=> :1: agents.a.provider: expected a built-in provider or one of this file (did you mean "anthropic"?), got "antropic"

agents: {a: {fallback: [opena]}}
=> :1: agents.a.fallback[0]: expected a built-in provider or one of this file (did you mean "openai"?), got "opena"

agents: {a: {provider: anthropic, fallback: [openai]}}
=> :1: agents.a.fallback[0]: expected a provider that speaks anthropic, got "openai", which speaks openai

agents: {a: {budget: {max_cost_per_hour: -1}}}
=> :1: agents.a.budget.max_cost_per_hour: expected dollars, 0 or more, such as 5.00, got -1

agents: {a: {budget: {max_cost_per_day: true}}}
=> :1: agents.a.budget.max_cost_per_day: expected dollars, 0 or more, such as 5.00, got true

agents: {a: {budget: {max_cost_total: 1e3}}}
=> :1: agents.a.budget.max_cost_total: expected dollars, 0 or more, such as 5.00, got 1e3

agents: {a: {budget: {enforcement: hrad}}}
=> :1: agents.a.budget.enforcement: expected estimate or hard (did you mean "hard"?), got "hrad"

agents: {a: {budget: {warn_at: [75]}}}
=> :1: agents.a.budget.warn_at[0]: expected a fraction above 0, at most 1, got 75

agents: {a: {rate_limit: 100/min/s}}
=> :1: agents.a.rate_limit: expected "<count>/<unit>", got "100/min/s"

agents: {a: {rate_limit: 0/s}}
=> :1: agents.a.rate_limit: expected "<count>/<unit>" with a count of 1 or more, got "0/s"

agents: {a: {rate_limit: -5/s}}
=> :1: agents.a.rate_limit: expected "<count>/<unit>", got "-5/s"

agents: {a: {token_limit: 5}}
=> :1: agents.a.token_limit: expected "<count>/<unit>", got 5

agents: {a: {max_concurrency: 0}}
=> :1: agents.a.max_concurrency: expected a whole number of 1 or more, got 0

agents: {a: {circuit_breaker: {error_threshold: -5}}}
=> :1: agents.a.circuit_breaker.error_threshold: expected a whole number of 1 or more, got -5

agents: {a: {tags: x}}
=> :1: agents.a.tags: expected a list of strings, got "x"

agents: {a: {id: b}}
=> :1: agents.a.id: expected a known key, got "id"

agents: {a: {key: 'sha256:ff'}}
=> :1: agents.a.key: expected "sha256:" and 64 hexadecimal digits, got something else after sha256:

agents: {a: {api_key: env:NOT_SET}}
=> :1: agents.a.api_key: expected the environment variable NOT_SET to be set, got nothing

agents: {a: {api_key: file:/nowhere/at-all}}
=> :1: agents.a.api_key: expected a readable file at /nowhere/at-all, got No such file or directory

agents:
  a: {}
  a: {}
=> :3: agents.a: expected each key once (it is on line 2 already), got a duplicate

agents:
  a: {key: k}
  b: {key: k}
=> :3: agents.b.key: expected a key of its own, got the same as agents.a.key on line 2

providers: {x: {base_url: 'https://x'}}
=> :1: providers.x.api: expected anthropic, openai or google, as it is not built in, got nothing

providers: {groc: {base_url: 'https://x'}}
=> :1: providers.groc.api: expected anthropic, openai or google, as it is not built in (did you mean "groq"?), got nothing

providers: {x: {api: openai}}
=> :1: providers.x.base_url: expected a URL such as https://api.example.com, got nothing

providers: {openai: {base_url: ftp://x}}
=> :1: providers.openai.base_url: expected a URL such as https://api.example.com, got "ftp://x"

providers: {openai: {on_disconnect: stop}}
=> :1: providers.openai.on_disconnect: expected abort or drain, got "stop"

providers: {openai: {ca_file: /nowhere.pem}}
=> :1: providers.openai.ca_file: expected a readable file at /nowhere.pem, got No such file or directory

policies: {}
=> :1: policies: expected a list of policies, got a mapping

policies: [{condition: 'error_rate > 1', action: pause}]
=> :1: policies[0].name: expected a string, got nothing

policies: [{name: p, action: pause}]
=> :1: policies[0].condition: expected a condition, got nothing

policies: [{name: p, condition: 'error_rate > 1', action: paus}]
=> :1: policies[0].action: expected pause, deny, alert or throttle (did you mean "pause"?), got "paus"

policies: [{name: p, condition: 'error_rate > 1'}]
=> :1: policies[0].action: expected pause, deny, alert or throttle, got nothing

policies: [{name: p, condition: 'error_rate > 1', action: throttle}]
=> :1: policies[0].params.rate: expected the "<count>/<unit>" to throttle to, got nothing

policies: [{name: p, condition: 'error_rate > 1', action: deny, params: {rate: 1/s}}]
=> :1: policies[0].params.rate: expected a parameter of deny, got "rate"

policies: [{name: p, condition: 'error_rate > 1', action: alert, params: {webhook: 'hooks.example.com/T0'}}]
=> :1: policies[0].params.webhook: expected an http(s) URL, got something else

policies: [{name: p, condition: 'error_rate > 1', action: alert, params: {cooldown: -1}}]
=> :1: policies[0].params.cooldown: expected a number of seconds, 0 or more, got -1

policies:
  - {name: p, condition: 'error_rate > 1', action: deny}
  - {name: p, condition: 'error_rate > 1', action: deny}
=> :3: policies[1].name: expected a name of its own, got the name of the policy on line 2

prices: {m: {output: 1}}
=> :1: prices.m.input: expected dollars, 0 or more, such as 5.00, got nothing

prices: {m: {input: 0.0000000001, output: 1}}
=> :1: prices.m.input: expected dollars below a billion with at most 9 decimal places, got 0.0000000001

unpriced_models: ignore
=> :1: unpriced_models: expected refuse, assume or free, got "ignore"

dashboard: maybe
=> :1: dashboard: expected true or false, got "maybe"

audit: {max_entries: -1}
=> :1: audit.max_entries: expected a whole number of 0 or more, got -1

admin: {manhole: 'tcp:2222'}
=> :1: admin.manhole: expected a unix: endpoint, or authorized_keys beside it, got "tcp:2222"

admin: {manhole: 'unix:m.sock:mode=666'}
=> :1: admin.manhole: expected a mode that keeps other users out, such as 600, got "unix:m.sock:mode=666"

store: redis
=> :1: store: expected "memory:", "sqlite:PATH" or a mapping of live and history, got "redis"

store: {live: 'redis://h'}
=> :1: store.history: expected a URL such as postgresql://user@127.0.0.1/agentgateway, got nothing

store: {live: 'http://:pass@h', history: 'postgresql://u:pass@h/d'}
=> :1: store.live: expected a URL such as redis://127.0.0.1:6379, got something else

store: {live: 'redis://h', history: 'mysql://u:pass@h/d'}
=> :1: store.history: expected a URL such as postgresql://user@127.0.0.1/agentgateway, got something else

store: {live: 'redis://h', history: 'postgresql://h/d', on_outage: wait}
=> :1: store.on_outage: expected refuse or spend, got "wait"

store: {live: 'redis://h', history: 'postgresql://h/d', retention_months: 0}
=> :1: store.retention_months: expected a whole number of 1 or more, got 0

store: {live: 'redis://h', history: 'postgresql://h/d'}
agents: {a: {budget: {max_cost_total: 9_000_001}}}
=> :2: agents.a.budget.max_cost_total: expected at most 9,000,000 dollars with a shared store, got 9_000_001

workers: 2
=> :1: workers: expected 1, or a mapping of live and history under store, got 2 and a store for one process

workers: many
=> :1: workers: expected auto, or a whole number from 1 to 256, got "many"

shared: {}
=> :1: shared: expected a known key (did you mean "dashboard"?), got "shared"

agents: {a: {provider: nope}}
=> :1: agents.a.provider: expected a built-in provider or one of this file, got "nope"

agents:
	a: {}
=> :2: expected YAML, got a syntax error (found character that cannot start any token: a tab? YAML wants spaces)

a: [
=> :2: expected YAML, got a syntax error (did not find expected node content)

a: &x b
c: *x
=> :2: expected the value itself (aliases are not allowed here), got an alias

just words
=> :1: expected a mapping, got a single value
"""

WRONG = [tuple(entry.strip("\n").split("\n=> ")) for entry in _TABLE.strip().split("\n\n")]
"""Pairs of text and line."""
