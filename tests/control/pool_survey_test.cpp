// Many pools asked side by side: bounded, none twice, and one that hangs costs the others nothing.
#include "control/pool_survey.h"

#include <doctest/doctest.h>

#include "support/hand_remote.h"
#include "support/polled_loop.h"

using namespace mahavishnu;
using base::ErrorCode;
using base::Millis;
using control::PoolSurvey;
using domain::PoolId;
using domain::PoolRecord;
using Findings = PoolSurvey::Findings;

namespace {

struct SurveyOffice : support::PolledLoop {
  explicit SurveyOffice(PoolSurvey::Options options = {})
      : survey(io.get_executor(), options, timers, remote) {}
  ~SurveyOffice() {
    survey.stop();
    poll();
  }
  PoolRecord pool(const std::string& name) {
    PoolRecord record;
    const auto [at, fresh] = known.try_emplace(name, PoolId{ids.next({})});
    record.id = at->second;
    record.spec.name = name;
    record.spec.settings.url = "http://" + name;
    return record;
  }
  using Told = std::shared_ptr<std::optional<Findings>>;
  Told ask(std::vector<std::string> names) {
    std::vector<PoolRecord> pools;
    for (const auto& name : names) pools.push_back(pool(name));
    return start(survey.ask(std::move(pools)));
  }
  void answer(const std::string& name) {
    remote.answer(name);
    poll();
  }

  support::HandRemote remote;
  PoolSurvey survey;
  std::map<std::string, PoolId> known;
  base::UlidSource ids{1};
};

PoolSurvey::Options two_at_once() {
  PoolSurvey::Options options;
  options.max_in_flight = 2;
  return options;
}

}  // namespace

TEST_SUITE_BEGIN("pool survey");

TEST_CASE("all are asked before one has answered, and all answers come together") {
  SurveyOffice office;
  const auto told = office.ask({"a", "b", "c"});
  CHECK(office.remote.asked == std::vector<std::string>{"a", "b", "c"});
  office.answer("c");
  office.answer("a");
  CHECK_FALSE(told->has_value());
  office.answer("b");
  REQUIRE(told->has_value());
  CHECK((*told)->size() == 3);
  CHECK((*told)->at(office.known["b"]).reading.server == "server of b");
}

TEST_CASE("no more are under way than may be, and the next goes when one has answered") {
  SurveyOffice office(two_at_once());
  const auto told = office.ask({"a", "b", "c", "d"});
  CHECK(office.remote.asked.size() == 2);
  office.answer("b");
  CHECK(office.remote.asked == std::vector<std::string>{"a", "b", "c"});
  office.answer("a");
  office.answer("c");
  office.answer("d");
  CHECK(told->has_value());
  CHECK(office.survey.in_flight() == 0);
}

TEST_CASE("a pool that is being asked is not asked again: its answer is shared") {
  SurveyOffice office;
  const auto first = office.ask({"a", "b"});
  const auto second = office.ask({"b"});
  const auto twice = office.ask({"b", "b"});
  CHECK(office.remote.asked == std::vector<std::string>{"a", "b"});
  office.answer("b");
  CHECK(second->has_value());
  CHECK(twice->has_value());
  CHECK_FALSE(first->has_value());
  office.answer("a");
  CHECK(first->has_value());
}

TEST_CASE("an answer is kept for its time, counted from when it came") {
  SurveyOffice office;
  office.ask({"a"});
  office.advance(Millis(1000));
  office.answer("a");
  office.advance(Millis(4999));
  CHECK(office.ask({"a"})->has_value());
  CHECK(office.remote.asked.size() == 1);
  office.advance(Millis(1));
  CHECK_FALSE(office.ask({"a"})->has_value());
  CHECK(office.remote.asked.size() == 2);
}

TEST_CASE("one that fails is a finding among the others, and is kept as well") {
  SurveyOffice office;
  const auto told = office.ask({"a", "b"});
  office.remote.refuse("a");
  office.answer("b");
  REQUIRE(told->has_value());
  const auto& failed = (*told)->at(office.known["a"]);
  REQUIRE(failed.error);
  CHECK(failed.error->code == ErrorCode::Unavailable);
  CHECK_FALSE((*told)->at(office.known["b"]).error);
  CHECK(office.ask({"a"})->has_value());
  CHECK(office.remote.asked.size() == 2);
}

TEST_CASE("one that hangs is late after the limit, and gives its place to the next") {
  SurveyOffice office(two_at_once());
  const auto told = office.ask({"hangs", "b", "c"});
  office.answer("b");
  office.answer("c");
  const auto later = office.ask({"d", "e"});
  CHECK(office.remote.asked.back() == "d");
  office.advance(Millis(2000));
  REQUIRE(told->has_value());
  CHECK((*told)->at(office.known["hangs"]).error->code == ErrorCode::Deadline);
  CHECK_FALSE((*told)->at(office.known["b"]).error);
  CHECK(office.remote.asked.back() == "e");
  office.answer("hangs");  // too late: nobody waits, and it takes no place away
  CHECK(office.survey.in_flight() == 1);
}

TEST_CASE("a pool without a server behind it is not asked") {
  SurveyOffice office;
  PoolRecord local;
  local.id = PoolId{office.ids.next({})};
  const auto told = office.start(office.survey.ask({local}));
  REQUIRE(told->has_value());
  CHECK((*told)->empty());
  CHECK(office.remote.asked.empty());
}

TEST_CASE("stop() ends every wait") {
  SurveyOffice office(two_at_once());
  const auto told = office.ask({"a", "b", "c"});
  const auto waits = office.ask({"d"});
  office.survey.stop();
  office.poll();
  REQUIRE(waits->has_value());
  CHECK((*waits)->at(office.known["d"]).error->code == ErrorCode::Unavailable);
  REQUIRE(told->has_value());
  CHECK((*told)->size() == 3);
}

TEST_SUITE_END();
