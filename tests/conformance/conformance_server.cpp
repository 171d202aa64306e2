// The server that the official conformance suite is run against: `conformance_server PORT`.
//
// Made of the same rpc, mcp and net libraries as the product; only what it offers is its own. It
// listens on 127.0.0.1 and ::1 (port 0: any), prints "listening on PORT" and serves until SIGTERM
// or SIGINT. One thread.
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "fixture.h"
#include "jobs.h"
#include "net/http_server.h"

namespace mahavishnu::conformance {

mcp::Tool tool(std::string name, std::string description, std::string input_schema,
               mcp::ContentHandler handler) {
  mcp::Tool out;
  out.name = std::move(name);
  out.description = std::move(description);
  out.input_schema = std::move(input_schema);
  out.content_handler = std::move(handler);
  return out;
}

mcp::ToolContent shown(std::string text) {
  return {{mcp::text_content(std::move(text))}, nullptr, false};
}

std::string text_of(const Json& content) {
  const Json& block = content.is_array() && !content.empty() ? content.front() : content;
  return block.is_object() ? block.value("text", std::string()) : std::string();
}

Json form(const std::string& message, const std::string& property, const std::string& type) {
  return {{"message", message},
          {"requestedSchema",
           {{"type", "object"},
            {"properties", {{property, {{"type", type}}}}},
            {"required", Json::array({property})}}}};
}

Json sampling(const std::string& prompt, int max_tokens) {
  const Json message{{"role", "user"}, {"content", {{"type", "text"}, {"text", prompt}}}};
  return {{"messages", Json::array({message})}, {"maxTokens", max_tokens}};
}

namespace {

std::vector<mcp::Tool> all_tools(const Triggers& triggers, asio::any_io_executor executor,
                                 Jobs& jobs) {
  std::vector<mcp::Tool> out = content_tools();
  for (auto& family :
       {notice_tools(triggers), asking_tools(), round_tools(), task_tools(executor, jobs)}) {
    out.insert(out.end(), family.begin(), family.end());
  }
  return out;
}

base::awaitable<void> serve_until_signal(asio::io_context* io, mcp::Server* server,
                                         net::HttpServer* http, Jobs* jobs) {
  asio::signal_set signals(*io, SIGTERM, SIGINT);
  co_await signals.async_wait(base::as_result);
  http->stop_accepting();
  co_await server->stop();
  co_await http->stop();
  co_await jobs->stop();
}

int run(std::uint16_t port) {
  asio::io_context io;
  mcp::Server* told = nullptr;  // set before a tool can run
  Triggers triggers{[&told](mcp::Change what) { told->changed(what); }};
  Jobs jobs(io.get_executor(), [&told](std::string_view job) { told->task_changed(job); });
  mcp::ServerOptions options;
  options.name = "conformance";
  options.title = "Conformance";
  options.version = MAHAVISHNU_VERSION;
  options.progress_interval = base::Millis(10);  // the suite wants each of three, 50 ms apart
  options.stream_after = base::Millis(300);
  options.stream_hold = kStreamHold;
  mcp::Offer offered = offer();
  offered.tasks.keeper = &jobs;
  auto server =
      mcp::Server::create(io.get_executor(), options, all_tools(triggers, io.get_executor(), jobs),
                          {}, std::move(offered));
  if (!server) {
    std::fprintf(stderr, "%s\n", server.error().message.c_str());
    return EXIT_FAILURE;
  }
  told = server->get();
  net::HttpServer http(io.get_executor(), {},
                       [told](const std::shared_ptr<rpc::HttpExchange>& exchange) {
                         return told->handle_mcp(exchange, {});
                       });
  const auto bound = http.listen("localhost", port);
  if (!bound) {
    std::fprintf(stderr, "%s\n", bound.error().message.c_str());
    return EXIT_FAILURE;
  }
  std::printf("listening on %u\n", static_cast<unsigned>(*bound));
  std::fflush(stdout);
  base::TaskGroup group(io.get_executor(), "conformance server");
  group.spawn(serve_until_signal(&io, told, &http, &jobs));
  io.run();
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace mahavishnu::conformance

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: conformance_server PORT\n");
    return 2;
  }
  return mahavishnu::conformance::run(static_cast<std::uint16_t>(std::atoi(argv[1])));
}
