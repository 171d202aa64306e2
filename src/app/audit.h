// Writes down who called which tool, and what came of it.
//
// A call that changes something has a row of its own: handed to the trail before the call runs, so
// that the row is on the disk with or before what the call commits, and completed when it has
// ended. What administers the server runs only once its row is on the disk. Calls that are refused
// have a row, too, but one a minute for each caller and tool; the others of that minute, and all
// that only reads (resources and prompts, too) or passes messages, are counted, and the counts are
// written once a minute and at the end. A trail that cannot be written holds up nothing; that is
// logged and counted. Memory: a count for each caller, tool and decision of a minute. Control
// thread only. Lifetime: longer than the tools it was given; stop() and await it first.
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "base/asio.h"
#include "base/task_group.h"
#include "base/time.h"
#include "domain/audit.h"
#include "mcp/offer.h"
#include "mcp/tool.h"

namespace mahavishnu::app {

class Audit {
 public:
  struct Options {
    base::Millis keep{0};
    std::uint64_t max_rows = 0;
    base::Millis count_for{60000};
    std::function<base::WallTime()> now = base::wall_now;
  };
  Audit(asio::any_io_executor control, domain::AuditTrail& trail, Options options);
  ~Audit();

  base::Status start();
  // Writes what was counted.
  base::awaitable<void> stop();

  // Of every call, when it is decided whether it may be made.
  void decided(const std::string& caller, const mcp::Tool& tool, const mcp::Json& arguments,
               const base::Status& decision);
  // Of a request that was turned away at the HTTP door, by the status it got. `caller` "": nobody
  // that is known.
  void turned_away(std::string_view caller, int status);
  // The same tools, which are written down when they are called.
  std::vector<mcp::Tool> followed(std::vector<mcp::Tool> tools);
  // The same resources and prompts, counted when they are read.
  mcp::Offer followed(mcp::Offer offer);

  // Writes what was counted so far and lets go of what is too old; else it is done in its time.
  void flush();

 private:
  struct Key {
    std::string caller, tool;
    domain::AuditDecision decision = domain::AuditDecision::Allowed;
  };
  using KeyView = std::tuple<std::string_view, std::string_view, domain::AuditDecision>;
  struct Less {
    using is_transparent = void;
    static KeyView view(const Key& key) { return {key.caller, key.tool, key.decision}; }
    static const KeyView& view(const KeyView& key) { return key; }
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return view(a) < view(b);
    }
  };
  struct Count {
    std::uint32_t calls = 0;
    bool has_row = false;  // the first of this minute
  };

  Count& count_of(const std::string& caller, const std::string& tool,
                  domain::AuditDecision decision);
  // Whether this refusal is the first of its minute, and has a row.
  bool is_first(const std::string& caller, const std::string& tool, domain::AuditDecision decision);
  void refuse(domain::AuditRow row, domain::AuditDecision decision, std::string outcome);
  domain::AuditRow row(const std::string& caller, const std::string& tool);
  mcp::ResourceReader counted(mcp::ResourceReader read);
  base::awaitable<mcp::ToolResult> run(const mcp::ToolHandler& handler, std::string tool,
                                       bool administers, mcp::Json arguments, mcp::Call& call);
  void ended(std::uint64_t seq, std::string outcome, std::string made);
  base::awaitable<void> flush_in_time();

  asio::any_io_executor control_;
  domain::AuditTrail& trail_;
  Options options_;
  std::uint64_t last_seq_ = 0;
  std::map<Key, Count, Less> counts_;
  asio::steady_timer timer_;
  base::TaskGroup group_;
};

// The id of what a call made, as its answer tells: a task's, a batch's, a workflow's or a pool's;
// "".
std::string made_by(const std::string& tool, std::string_view answer);

}  // namespace mahavishnu::app
