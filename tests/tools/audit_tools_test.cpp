#include "desk.h"
#include "tools/scope.h"

using mahavishnu::base::ErrorCode;
using mahavishnu::domain::AuditDecision;
using mahavishnu::domain::AuditRow;
using mahavishnu::rpc::Json;
using mahavishnu::support::Desk;
using mahavishnu::tools::Scope;

namespace {

AuditRow row(std::uint64_t seq, const char* caller) {
  AuditRow made;
  made.seq = seq;
  made.caller = caller;
  made.tool = "task_submit";
  return made;
}

}  // namespace

TEST_SUITE("audit_search") {
  TEST_CASE("a row tells what is known of its call") {
    Desk desk;
    AuditRow whole = row(1, "ci");
    whole.arguments = std::string(64, 'a');
    whole.outcome = "ok";
    whole.made = "task_1";
    AuditRow counted = row(2, "web");
    counted.calls = 5;
    counted.decision = AuditDecision::Limited;
    desk.audit.rows = {whole, counted};
    const Json items = desk.ask("audit_search")["items"];
    CHECK(items[0] == Json{{"time", "1970-01-01T00:00:00.000Z"},
                           {"caller", "ci"},
                           {"tool", "task_submit"},
                           {"decision", "allowed"},
                           {"calls", 1},
                           {"arguments_sha256", std::string(64, 'a')},
                           {"outcome", "ok"},
                           {"made", "task_1"}});
    CHECK(items[1]["decision"] == "limited");
    CHECK(items[1]["calls"] == 5);
    CHECK(!items[1].contains("outcome"));
  }

  TEST_CASE("filters reach the trail, and pages go on where the last one ended") {
    Desk desk;
    for (int i = 1; i <= 5; ++i) desk.audit.rows.push_back(row(static_cast<unsigned>(i), "ci"));
    const Json first = desk.ask("audit_search", {{"limit", 3},
                                                 {"caller", "ci"},
                                                 {"tool", "task_submit"},
                                                 {"decision", "denied"},
                                                 {"since", "2027-01-01T00:00:00Z"}});
    CHECK(first["items"].size() == 3);
    CHECK(desk.audit.asked.caller == "ci");
    CHECK(desk.audit.asked.tool == "task_submit");
    CHECK(desk.audit.asked.decision == AuditDecision::Denied);
    CHECK(desk.audit.asked.since.has_value());
    CHECK(desk.ask("audit_search", {{"cursor", first["next_cursor"]}})["items"].size() == 2);
  }
}

TEST_SUITE("scopes") {
  TEST_CASE("administration is what the table says, each a tool there is") {
    Desk desk;
    std::size_t administration = 0;
    for (const auto& tool : desk.tools) {
      const Scope scope = mahavishnu::tools::scope_of(tool);
      if (scope == Scope::Admin) ++administration;
      if (scope == Scope::Read) CHECK(tool.effect == mahavishnu::mcp::Effect::ReadOnly);
      if (scope == Scope::Run) CHECK(tool.effect != mahavishnu::mcp::Effect::ReadOnly);
    }
    CHECK(administration == mahavishnu::tools::kAdministration.size());
  }
}
