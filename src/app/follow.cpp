#include "app/follow.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <iomanip>
#include <iostream>
#include <map>

namespace mahavishnu::app {
namespace {

using base::awaitable;
using base::Result;
using rpc::Json;
using Clock = std::chrono::steady_clock;

constexpr int kMostFailures = 10;
constexpr int kTailBytes = 4096;
constexpr int kTailLines = 20;
constexpr int kLiveWaitMs = 250;    // how often the table's clock moves
constexpr int kPlainWaitMs = 1000;  // and how late an interrupt is seen elsewhere
constexpr int kCancelWaitMs = 20000;
constexpr int kPage = 500;
constexpr std::chrono::milliseconds kBetweenLooks{100};  // however fast it changes

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Draws lines over the ones it drew before.
class LiveArea {
 public:
  explicit LiveArea(std::ostream& out) : out_(out) {}

  void draw(const std::vector<std::string>& lines) {
    if (drawn_ > 0) out_ << "\x1b[" << drawn_ << "A";
    for (const auto& line : lines) out_ << "\x1b[2K" << line << "\n";
    out_ << "\x1b[J" << std::flush;
    drawn_ = lines.size();
  }

 private:
  std::ostream& out_;
  std::size_t drawn_ = 0;
};

// One line whenever a cell has ended that had not before.
class PlainLines {
 public:
  explicit PlainLines(std::ostream& out) : out_(out) {}

  void tell(const Json& workflow, double seconds) {
    for (const auto& cell : workflow.value("cells", Json::array())) {
      const std::string state = cell.value("state", "");
      const std::string repo = cell.value("repo", "");
      if (!is_ended(state)) continue;
      const std::string what = (repo.empty() ? "(all)" : repo) + " " + cell.value("step", "");
      if (std::string& told = told_[what]; told != state) {
        told = state;
        const std::string reason = cell.value("reason", "");
        out_ << std::fixed << std::setprecision(1) << std::setw(7) << seconds << " s  " << what
             << ": " << state << (reason.empty() || reason == "ok" ? "" : " (" + reason + ")")
             << std::endl;
      }
    }
  }

 private:
  std::ostream& out_;
  std::map<std::string, std::string> told_;
};

// Every page of a workflow's cells in one answer.
awaitable<Result<Json>> whole_workflow(ToolDoor& tools, Json query) {
  query["limit"] = kPage;
  auto whole = co_await tools.call("workflow_get", query);
  query.erase("wait_ms");
  query.erase("until");
  while (whole && whole->contains("next_cursor")) {
    query["cursor"] = (*whole)["next_cursor"];
    whole->erase("next_cursor");
    auto page = co_await tools.call("workflow_get", query);
    if (!page) co_return page;
    for (auto& cell : (*page)["cells"]) (*whole)["cells"].push_back(std::move(cell));
    if (page->contains("next_cursor")) (*whole)["next_cursor"] = (*page)["next_cursor"];
  }
  co_return whole;
}

awaitable<void> cancel_workflow(ToolDoor& tools, std::string workflow, std::ostream& out) {
  Json arguments = {{"workflow", workflow}, {"wait_ms", kCancelWaitMs}};
  const auto cancelled = co_await tools.call("workflow_cancel", std::move(arguments));
  if (!cancelled) {
    out << "interrupted; " << workflow << " could not be cancelled: " << cancelled.error().message
        << std::endl;
    co_return;
  }
  out << "interrupted; " << workflow << ": " << cancelled->value("cancelled", 0)
      << " tasks cancelled, " << cancelled->value("already_ended", 0) << " had ended, "
      << cancelled->value("processes_left", 0) << " processes left" << std::endl;
}

std::string last_lines(const std::string& text, int lines) {
  std::size_t at = text.size();
  if (at > 0 && text[at - 1] == '\n') --at;
  while (at > 0 && (text[at - 1] != '\n' || --lines > 0)) --at;
  return text.substr(at);
}

awaitable<void> print_failure(ToolDoor& tools, Json cell, std::ostream& out) {
  const std::string repo = cell.value("repo", "");
  const std::string task = cell.value("task", "");
  out << "\n── " << (repo.empty() ? "(all)" : repo) << " / " << cell.value("step", "") << ": "
      << cell.value("reason", cell.value("state", "")) << "  " << task << "\n";
  if (task.empty()) co_return;
  Json query = {{"task", task}, {"max_bytes", kTailBytes}};
  const auto output = co_await tools.call("task_output", std::move(query));
  const std::string text = output ? output->value("text", "") : output.error().message;
  if (text.empty()) {
    out << "(no output)\n";
  } else {
    out << last_lines(text, kTailLines) << (text.back() == '\n' ? "" : "\n");
  }
}

}  // namespace

Screen standard_screen() {
  Screen screen{std::cout, ::isatty(STDOUT_FILENO) == 1, {}};
  winsize window{};
  if (screen.live && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0) {
    screen.size.width = window.ws_col;
    screen.size.height = window.ws_row > 6 ? window.ws_row - 1U : 5U;
  }
  return screen;
}

awaitable<Result<Json>> follow_workflow(ToolDoor& tools, std::string workflow, Screen screen,
                                        const Interrupt& interrupt) {
  const auto start = Clock::now();
  LiveArea area(screen.out);
  PlainLines plain(screen.out);
  asio::steady_timer pause(co_await asio::this_coro::executor);
  bool cancelled = false;
  while (true) {
    Json query = {{"workflow", workflow},
                  {"wait_ms", screen.live ? kLiveWaitMs : kPlainWaitMs},
                  {"until", "change"}};
    auto answer = co_await whole_workflow(tools, std::move(query));
    if (!answer) co_return answer;
    if (screen.live) {
      area.draw(workflow_table(*answer, seconds_since(start), screen.size));
    } else {
      plain.tell(*answer, seconds_since(start));
    }
    if (is_ended(answer->value("state", ""))) co_return answer;
    pause.expires_after(kBetweenLooks);
    co_await pause.async_wait(base::as_result);
    if (interrupt.asked && !cancelled) {
      cancelled = true;
      co_await cancel_workflow(tools, workflow, screen.out);
    }
  }
}

awaitable<void> print_failures(ToolDoor& tools, std::string workflow, std::ostream& out) {
  for (const char* state : {"failed", "dead"}) {
    Json query = {{"workflow", workflow}, {"state", state}, {"limit", kMostFailures}};
    const auto failed = co_await tools.call("workflow_get", std::move(query));
    if (!failed) {
      out << "what failed is not known: " << failed.error().message << "\n";
      co_return;
    }
    for (const auto& cell : failed->value("cells", Json::array()))
      co_await print_failure(tools, cell, out);
    if (failed->contains("next_cursor"))
      out << "\n… and more; see workflow_get " << workflow << "\n";
  }
  out << std::flush;
}

awaitable<Result<Json>> follow_task(ToolDoor& tools, std::string task, std::ostream& out,
                                    const Interrupt& interrupt) {
  Json query = {{"task", task}, {"offset", 0}, {"wait_ms", kPlainWaitMs}, {"max_bytes", 32768}};
  bool cancelled = false;
  while (true) {
    const auto output = co_await tools.call("task_output", query);
    if (!output) co_return fail(output.error());
    out << output->value("text", "") << std::flush;
    if (output->value("eof", false)) break;
    if (output->contains("next_offset")) query["offset"] = (*output)["next_offset"];
    if (interrupt.asked && !cancelled) {
      cancelled = true;
      Json stop = {{"task", task}, {"wait_ms", kCancelWaitMs}};
      co_await tools.call("task_cancel", std::move(stop));
    }
  }
  Json last = {{"task", task}, {"wait_ms", kCancelWaitMs}};
  co_return co_await tools.call("task_get", std::move(last));
}

}  // namespace mahavishnu::app
