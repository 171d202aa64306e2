// Storms of random calls: whatever happens, nothing that was promised is lost and bounds hold.
#include <set>

#include "bus_desk.h"

namespace mahavishnu::test {
namespace {

// Sends, takes, forgets to acknowledge, and lets time pass, at random; acknowledges in the end.
class Storm {
 public:
  explicit Storm(std::uint64_t seed) : chance_(seed), desk_(options()) {
    for (const char* pattern : {"a.*", "#", "a.b", "*.b"}) {
      desk_.join(pattern, pattern, true);
    }
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      step();
      if (const std::string wrong = desk_.bus.check(); !wrong.empty()) FAIL(wrong);
    }
    write_all();
    for (const auto& group : desk_.bus.groups()) drain(group.record.no, group.record.name);
    CHECK(desk_.bus.counts().messages == 0);
  }

 private:
  static BusOptions options() {
    auto options = small_bus();
    options.max_pending = 20;
    options.max_in_flight = 7;
    options.max_deliveries = 1000000;
    return options;
  }
  std::uint64_t roll(std::uint64_t sides) { return chance_.random() % sides; }

  void step() {
    const auto groups = desk_.bus.groups();
    const auto& group = groups[roll(groups.size())];
    switch (roll(6)) {
      case 0:
      case 1: {
        const char* topics[] = {"a.b", "a.c", "b.b", "c"};
        const std::string topic = topics[roll(4)];
        if (auto published = desk_.publish(BusDesk::message(topic))) {
          writing_.push_back({published->no, desk_.last_id, topic});
        }
        break;
      }
      case 2:
        write_all();
        break;
      case 3:
        for (const auto& one : desk_.take(group.record.no, 1 + roll(5))) {
          got_[group.record.no].insert(one.message->id);
          CHECK(owed_[group.record.no].count(one.message->id) == 1);
        }
        break;
      case 4: {
        const auto& got = got_[group.record.no];
        if (got.empty()) break;
        const MessageId id = *got.begin();
        desk_.ack(group.record.name, {id});
        got_[group.record.no].erase(id);
        owed_[group.record.no].erase(id);
        break;
      }
      default:
        desk_.pass(Millis(roll(20000)));
        desk_.bus.due(desk_.now);
    }
  }

  struct Writing {
    MessageNo no;
    MessageId id;
    std::string topic;
  };
  void write_all() {
    for (const auto& one : writing_) {
      if (roll(5) == 0) {
        desk_.bus.refused(one.no);
      } else {
        for (const GroupNo group : desk_.bus.persisted(one.no)) owed_[group].insert(one.id);
      }
    }
    writing_.clear();
  }

  void drain(GroupNo no, const std::string& name) {
    desk_.pass(Millis(30000));
    desk_.bus.due(desk_.now);
    while (true) {
      const auto taken = desk_.take(no);
      if (taken.empty()) break;
      for (const auto& one : taken) {
        CHECK(owed_[no].erase(one.message->id) == 1);
        CHECK(desk_.ack(name, {one.message->id}).done.size() == 1);
      }
    }
    CHECK(owed_[no].empty());
  }

  base::UlidSource chance_;
  BusDesk desk_;
  std::vector<Writing> writing_;
  std::map<GroupNo, std::set<MessageId>> owed_, got_;
};

}  // namespace

TEST_SUITE("Bus: storms") {
  TEST_CASE("every message reaches every group it met until that acknowledges it") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      CAPTURE(seed);
      Storm(seed).run(1500);
    }
  }
}

}  // namespace mahavishnu::test
