-- One fixed POST, taken from the file that PERF_REQUEST names: headers, one a line, an empty line,
-- the body. wrk formats it once. Prints the summary as one JSON object after "JSON ".
local file = assert(io.open(os.getenv("PERF_REQUEST"), "rb"))
for line in file:lines() do
  if line == "" then break end
  local name, value = line:match("^([^:]+): (.*)$")
  wrk.headers[name] = value
end
wrk.method = "POST"
wrk.body = file:read("*a")
file:close()

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    'JSON {"requests":%d,"seconds":%.6f,"bytes":%d,"p50_ms":%.4f,"p99_ms":%.4f,"max_ms":%.4f,' ..
    '"socket_errors":%d,"bad_statuses":%d}\n',
    summary.requests, summary.duration / 1e6, summary.bytes, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3, latency.max / 1e3,
    e.connect + e.read + e.write + e.timeout, e.status))
end
