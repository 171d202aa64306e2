// `mahavishnu status` and `mahavishnu stop`: the server that owns the data directory.
#include <iostream>

#include "app/client_session.h"
#include "app/data_directory.h"
#include "app/process.h"
#include "app/verbs.h"

namespace mahavishnu::app {
namespace {

using base::awaitable;
using rpc::Json;

constexpr base::Millis kConnectLimit{5000};
constexpr base::Millis kBetweenWords{2000};

std::string duration_text(base::Millis time) {
  const auto seconds = time.count() / 1000;
  if (seconds < 120) return std::to_string(seconds) + " s";
  if (seconds < 7200) return std::to_string(seconds / 60) + " min";
  return std::to_string(seconds / 3600) + " h " + std::to_string(seconds / 60 % 60) + " min";
}

std::string since(const std::string& started) {
  const auto time = base::parse_rfc3339(started);
  if (!time) return started;
  return started + " (" + duration_text(base::wall_now() - *time) + ")";
}

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(width, text.size()), ' ');
  return text + " ";
}

void print_pools(const Json& pools) {
  std::cout << padded("pool", 20) << padded("state", 10) << padded("workers", 10)
            << padded("running", 8) << padded("queued", 8) << "delayed\n";
  for (const auto& pool : pools.value("items", Json::array())) {
    const Json workers = pool.value("workers", Json::object());
    std::cout << padded(pool.value("name", ""), 20) << padded(pool.value("state", ""), 10)
              << padded(std::to_string(workers.value("total", 0)), 10)
              << padded(std::to_string(pool.value("running", 0)), 8)
              << padded(std::to_string(pool.value("queued", 0)), 8) << pool.value("delayed", 0)
              << "\n";
  }
}

void print_welcome(const Welcome& server, std::int64_t idle_exit_ms) {
  std::cout << "started: "
            << (server.background ? "in the background, by a client" : "by hand or as a service");
  if (server.background && idle_exit_ms > 0) {
    std::cout << "; ends after " << duration_text(base::Millis(idle_exit_ms))
              << " without client and work";
  }
  std::cout << "\nhttp:    "
            << (server.listening.empty() ? std::string("not served") : server.listening)
            << "\nclients: " << server.clients << " on the socket\n"
            << "tasks:   " << server.running << " running, " << server.queued << " queued, "
            << server.delayed << " delayed\n";
  if (server.ending) std::cout << "ending:  it takes no new work and lets what runs end\n";
}

awaitable<int> print_status(const Setup& setup) {
  auto client = co_await SocketClient::connect(setup, kConnectLimit);
  if (!client) {
    std::cout << "it does not answer: " << client.error().message << "\n";
    co_return 1;
  }
  const Welcome& server = (*client)->welcome();
  const auto idle_exit = server.settings.find("server.idle_exit_ms");
  print_welcome(server, idle_exit == server.settings.end() ? 0 : std::stoll(idle_exit->second));
  Json nothing = Json::object();
  const auto pools = co_await (*client)->tools().call("pool_list", nothing);
  if (!pools) co_return failed(pools.error());
  Json one = {{"limit", 1}};
  const auto repositories = co_await (*client)->tools().call("repo_list", std::move(one));
  const auto metrics = co_await (*client)->tools().call("metrics_get", nothing);
  if (repositories && repositories->contains("total")) {
    std::cout << "repositories: " << (*repositories)["total"] << "\n";
  }
  if (metrics) {
    const Json gauges = metrics->value("gauges", Json::object());
    for (const auto& [name, value] : gauges.items()) {
      std::cout << padded(name + ":", 22) << value << "\n";
    }
  }
  print_pools(*pools);
  co_return 0;
}

int report_none(const Setup& setup) {
  std::cout << "no server owns " << setup.data << "; start one with: mahavishnu serve\n";
  return 1;
}

}  // namespace

int status_verb(const Arguments& arguments) {
  const auto setup = load_setup(arguments);
  if (!setup) return failed(setup.error());
  const auto owner = DataDirectory::owner(setup->data);
  if (!owner) return report_none(*setup);
  std::cout << "server:  pid " << owner->pid << ", version " << owner->version << ", up since "
            << since(owner->started) << "\n"
            << "data:    " << setup->data << "\n";
  if (const auto repositories = load_repositories(*setup, working_folder()); !repositories) {
    std::cout << "the repositories file cannot be used: " << repositories.error().message << "\n";
  }
  prepare_process();
  asio::io_context context(1);
  int exit_code = 1;
  asio::co_spawn(context, print_status(*setup), [&](std::exception_ptr bug, int code) {
    if (bug) std::rethrow_exception(bug);
    exit_code = code;
  });
  context.run();
  return exit_code;
}

int stop_verb(const Arguments& arguments) {
  const auto setup = load_setup(arguments);
  if (!setup) return failed(setup.error());
  const auto owner = DataDirectory::owner(setup->data);
  if (!owner) return report_none(*setup);
  auto process = Process::open(owner->pid);
  if (!process) return failed(process.error());
  // The pid was read before it was opened: still the owner, so the descriptor is the server's.
  const auto still = DataDirectory::owner(setup->data);
  if (!still || still->pid != owner->pid) return report_none(*setup);
  if (auto told = process->terminate(); !told) return failed(told.error());
  while (!process->wait(kBetweenWords)) {
    std::cout << "waiting for pid " << owner->pid
              << ": it takes no new work and lets what runs end, at most "
              << "shutdown.grace_ms" << std::endl;
  }
  std::cout << "stopped pid " << owner->pid << "\n";
  return 0;
}

}  // namespace mahavishnu::app
