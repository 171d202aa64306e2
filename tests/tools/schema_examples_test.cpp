// For every tool: what its input schema lets through and what it refuses.
#include "desk.h"

using mahavishnu::rpc::Json;
using mahavishnu::support::Desk;

namespace {

struct Example {
  const char* tool;
  const char* arguments;
};

// The least, and a full one where there is more.
const Example kGood[] = {
    {"repo_list", "{}"},
    {"repo_list", R"({"tag":"a","role":"b","query":"c","limit":500,"cursor":"x"})"},
    {"workflow_run", R"({"steps":[{"id":"a","command":"x"}],"over":{"all":true}})"},
    {"workflow_run",
     R"({"steps":[{"id":"a-1.b_c","argv":["x"],"depends_on":["b"],"when":"always","each":"once","pool":"p",
         "worker_type":"shell","env":{"A":"1"},"timeouts":{"run_ms":1},"retry":{"max_attempts":2,"jitter":0.5},
         "on_failure":"stop_all","verify":"true"}],"over":{"tag":"t","role":"r","repos":["a"]},
         "max_parallel":2,"max_per_repo":1,"idempotency_key":"k","labels":{"a":"b"},"wait_ms":45000,
         "until":"change"})"},
    {"workflow_get", R"({"workflow":"wf_1"})"},
    {"workflow_get",
     R"({"workflow":"wf_1","state":"dead","repo":"a","step":"s","limit":1,"cursor":"c","wait_ms":0})"},
    {"workflow_list", "{}"},
    {"workflow_list", R"({"state":"partial","since":"2026-01-01T00:00:00Z","limit":5})"},
    {"workflow_cancel", R"({"workflow":"wf_1","wait_ms":1})"},
    {"task_submit", R"({"command":"x"})"},
    {"task_submit",
     R"({"argv":["a","b"],"selector":"affinity","affinity_key":"k","worker_type":"shell","repo":"r","cwd":"c",
         "stdin":"s","env":{},"priority":0,"timeouts":{"queue_ms":1,"start_ms":2,"idle_ms":3,"run_ms":4,
         "total_ms":5},"retry":{"max_attempts":3,"backoff_ms":1,"factor":1.5,"jitter":0},"idempotency_key":"k",
         "depends_on":["t"],"verify":"v","labels":{},"not_before":"2030-01-01T00:00:00Z","wait_ms":0,
         "until":"done"})"},
    {"task_batch", R"({"tasks":[{"command":"x"},5],"defaults":{"repo":"a"},"wait_ms":5})"},
    {"task_get", R"({"task":"t"})"},
    {"task_get", R"({"batch":"b","limit":5,"cursor":"c","wait_ms":5,"until":"change"})"},
    {"task_output", R"({"task":"t","stream":"stderr","offset":0,"max_bytes":32768,"wait_ms":1})"},
    {"task_cancel",
     R"({"filter":{"pool":"p","workflow":"w","repo":"r","caller":"c","label":"l"}})"},
    {"task_list",
     R"({"state":"dead","reason":"lost","pool":"p","workflow":"w","repo":"r","label":"a=b",
                      "caller":"c","since":"2026-01-01T00:00:00Z","order":"oldest","limit":1,"cursor":"c"})"},
    {"pool_spawn", R"({"name":"p"})"},
    {"pool_spawn",
     R"({"name":"p","type":"local","worker_type":"shell","min_workers":0,"max_workers":1,
                       "max_queue":1,"limits":{"memory_bytes":1,"cpu_ms":2,"output_bytes":3,"processes":4},
                       "timeouts":{"run_ms":1},"retry":{"factor":2.5},"env":{"A":"b"},"labels":{"a":"b"}})"},
    {"pool_list", R"({"state":"paused","label":"a"})"},
    {"pool_monitor", R"({"pools":["a"],"limit":2})"},
    {"pool_scale", R"({"pool":"p","target_workers":0,"paused":false})"},
    {"pool_close", R"({"pool":"p","mode":"now","wait_ms":1})"},
    {"pool_health", "{}"},
    {"breaker_list", "{}"},
    {"cache_stats", "{}"},
    {"cache_invalidate", R"({"cache":"records"})"},
    {"audit_search", R"({"caller":"ci","tool":"task_submit","decision":"denied","limit":1,
                         "since":"2027-01-01T00:00:00Z","cursor":"a1"})"},
    {"breaker_reset", R"({"target":"session_buddy"})"},
    {"message_publish", R"({"topic":"a.b","body":"x"})"},
    {"message_publish",
     R"({"to":{"repo":"a","tag":"t","role":"r","all":true},"body":"","headers":{"a":"b"},
                            "from":"b","ttl_ms":1,"wait_ms":45000})"},
    {"message_poll", R"({"topic":"a.#","group":"g","consumer":"c","limit":100,"ack_ms":1,
                         "earliest":true,"wait_ms":0})"},
    {"message_poll", R"({"repo":"a"})"},
    {"message_ack", R"({"group":"g","messages":["msg_1"],"retry":true})"},
    {"message_topics", R"({"topic":"#","limit":1,"cursor":"c"})"},
    {"memory_store", R"({"content":"x"})"},
    {"memory_store", R"({"content":"x","tags":["a=b"],"metadata":{"a":"b"},"dedup_key":"k"})"},
    {"memory_search", R"({"query":"x"})"},
    {"memory_search", R"({"query":"x","scope":"all"})"},
    {"memory_sync", "{}"},
    {"memory_sync", R"({"wait_ms":45000,"retry_dead":true})"},
    {"memory_search",
     R"({"query":"x","pools":["p"],"repos":["r"],"tags":["t"],"since":"2026-01-01T00:00:00Z",
                        "limit":50})"},
    {"log_search", "{}"},
    {"log_search",
     R"({"query":"\"a\" %_*","level":"warn","task":"t","workflow":"w","pool":"p","repo":"r","limit":500,
         "since":"2026-01-01T00:00:00Z","until":"2026-01-02T00:00:00Z","cursor":"c",
         "source":"opensearch"})"},
    {"metrics_get", R"({"window_ms":1000,"names":["a"]})"},
    {"explain", R"({"workflow":"w"})"},
};

const Example kBad[] = {
    {"breaker_list", R"({"target":"x"})"},
    {"breaker_reset", "{}"},
    {"memory_sync", R"({"wait_ms":45001})"},
    {"memory_search", R"({"query":"x","scope":"remote"})"},
    {"repo_list", R"({"dirty":true})"},
    {"repo_list", R"({"limit":0})"},
    {"repo_list", R"({"limit":501})"},
    {"repo_list", R"({"tag":5})"},
    {"workflow_run", R"({"over":{"all":true}})"},
    {"workflow_run", R"({"steps":[{"id":"a","command":"x"}]})"},
    {"workflow_run", R"({"steps":[],"over":{"all":true}})"},
    {"workflow_run", R"({"steps":[{"command":"x"}],"over":{"all":true}})"},
    {"workflow_run", R"({"steps":[{"id":"a b","command":"x"}],"over":{"all":true}})"},
    {"workflow_run", R"({"steps":[{"id":"a","prompt":"x"}],"over":{"all":true}})"},
    {"workflow_run", R"({"steps":[{"id":"a","command":"x","when":"never"}],"over":{"all":true}})"},
    {"workflow_run", R"({"steps":[{"id":"a","command":"x"}],"over":{}})"},
    {"workflow_run", R"({"steps":[{"id":"a","command":"x"}],"over":{"all":true},"name":"n"})"},
    {"workflow_run",
     R"({"steps":[{"id":"a","command":"x"}],"over":{"all":true},"max_per_repo":0})"},
    {"workflow_get", "{}"},
    {"workflow_get", R"({"workflow":"w","wait_ms":45001})"},
    {"workflow_get", R"({"workflow":"w","until":"later"})"},
    {"workflow_list", R"({"name":"x"})"},
    {"workflow_cancel", R"({"workflow":5})"},
    {"task_submit", R"({"command":["x"]})"},
    {"task_submit", R"({"argv":"x"})"},
    {"task_submit", R"({"argv":[]})"},
    {"task_submit", R"({"command":"x","priority":5})"},
    {"task_submit", R"({"command":"x","worker_type":"container"})"},
    {"task_submit", R"({"tool":"y","arguments":[1]})"},
    {"task_submit", R"({"command":"x","timeouts":{"walk_ms":1}})"},
    {"task_submit", R"({"command":"x","retry":{"max_attempts":0}})"},
    {"task_submit", R"({"command":"x","env":{"A":1}})"},
    {"task_submit", R"({"command":"x","wait_ms":-1})"},
    {"task_batch", "{}"},
    {"task_batch", R"({"tasks":[]})"},
    {"task_get", R"({"id":"x"})"},
    {"task_output", R"({"task":"t","stream":"events"})"},
    {"task_output", R"({"task":"t","max_bytes":32769})"},
    {"task_cancel", R"({"filter":{}})"},
    {"task_cancel", R"({"filter":{"state":"queued"}})"},
    {"task_list", R"({"state":"lost"})"},
    {"pool_spawn", "{}"},
    {"pool_spawn", R"({"name":"p","type":"redis"})"},
    {"pool_spawn", R"({"name":"p","type":"mcp","settings":{"urll":"x"}})"},
    {"pool_spawn", R"({"name":"p","type":"mcp","settings":{"command":"x"}})"},
    {"pool_spawn", R"({"name":"a b"})"},
    {"pool_spawn", R"({"name":"p","max_workers":0})"},
    {"pool_spawn", R"({"name":"p","isolation":"none"})"},
    {"pool_list", R"({"state":"closed"})"},
    {"pool_monitor", R"({"pools":"default"})"},
    {"pool_scale", R"({"target_workers":1})"},
    {"pool_close", R"({"pool":"p","mode":"soon"})"},
    {"pool_health", R"({"pool":"p"})"},
    {"memory_store", "{}"},
    {"memory_store", R"({"content":"x","tags":"a"})"},
    {"memory_search", R"({"query":"x","limit":51})"},
    {"log_search", R"({"level":"wrn"})"},
    {"log_search", R"({"until":5})"},
    {"log_search", R"({"source":"elsewhere"})"},
    {"log_search", R"({"limit":0})"},
    {"metrics_get", R"({"window_ms":1})"},
    {"explain", R"({"repo":"x"})"},
    {"message_publish", R"({"topic":"t"})"},
    {"message_publish", R"({"to":{"name":"api"},"body":"x"})"},
    {"message_publish", R"({"topic":"t","body":"x","ttl_ms":0})"},
    {"message_publish", R"({"topic":"t","body":{"a":1}})"},
    {"message_poll", R"({"repo":"a","limit":101})"},
    {"message_poll", R"({"repo":"a","ack_ms":0})"},
    {"message_ack", R"({"group":"g","messages":[]})"},
    {"message_ack", R"({"messages":["msg_1"]})"},
    {"message_topics", R"({"group":"g"})"},
    {"cache_stats", R"({"cache":"records"})"},
    {"cache_invalidate", R"({"cache":5})"},
    {"audit_search", R"({"decision":"refused"})"},
};

}  // namespace

TEST_SUITE("input schemas") {
  TEST_CASE("what a tool takes passes") {
    const Desk desk;
    for (const auto& [tool, arguments] : kGood) {
      CHECK_MESSAGE(desk.schema_says(tool, Json::parse(arguments)) == "", tool << " " << arguments);
    }
  }

  TEST_CASE("what a tool does not take is refused before its handler runs") {
    const Desk desk;
    for (const auto& [tool, arguments] : kBad) {
      CHECK_MESSAGE(desk.schema_says(tool, Json::parse(arguments)) != "", tool << " " << arguments);
    }
  }

  TEST_CASE("every tool has an example") {
    const Desk desk;
    for (const auto& tool : desk.tools) {
      const auto named = [&tool](const Example& example) { return tool.name == example.tool; };
      CHECK_MESSAGE(std::any_of(std::begin(kGood), std::end(kGood), named), tool.name);
      CHECK_MESSAGE(std::any_of(std::begin(kBad), std::end(kBad), named), tool.name);
    }
  }

  TEST_CASE("every defaulted value is one that its own schema takes, and the handlers' own") {
    const Desk desk;
    const Json schema = Json::parse(desk.tool("task_submit").input_schema)["properties"];
    const mahavishnu::domain::Timeouts times;
    const mahavishnu::domain::RetryPolicy retry;
    CHECK(schema["timeouts"]["properties"]["idle_ms"]["default"] == times.idle.count());
    CHECK(schema["timeouts"]["properties"]["run_ms"]["default"] == times.run.count());
    CHECK(schema["timeouts"]["properties"]["start_ms"]["default"] == times.start.count());
    CHECK(schema["retry"]["properties"]["backoff_ms"]["default"] == retry.backoff.count());
    CHECK(schema["retry"]["properties"]["factor"]["default"] == retry.factor);
    CHECK(schema["priority"]["default"] == mahavishnu::domain::kDefaultPriority);
  }
}
