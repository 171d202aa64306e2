#include "simulation/server_world.h"

#include <exception>
#include <utility>

namespace mahavishnu::simulation {

using std::chrono::hours;

// The time of the simulated machine. Wall time may be set; monotonic time begins anew with a boot
// and leaps when the machine slept.
class ServerWorld::Clock final : public control::Timers {
 public:
  explicit Clock(Dice& dice) : dice_(dice) {}
  Moment now() override { return {wall, mono, dice_.draw()}; }
  void set_alarm(MonoTime at, std::function<void()> due) override {
    at_ = at;
    due_ = std::move(due);
  }
  void clear_alarm() override { due_ = nullptr; }

  bool due() const { return due_ && at_ <= mono; }
  bool set() const { return due_ != nullptr; }
  Millis left() const { return std::chrono::ceil<Millis>(at_ - mono); }
  void ring() { std::exchange(due_, nullptr)(); }
  void pass(Millis by) {
    wall += by;
    mono += by;
  }

  WallTime wall{Millis{1'700'000'000'000}};
  MonoTime mono{std::chrono::seconds(1000)};

 private:
  Dice& dice_;
  MonoTime at_{};
  std::function<void()> due_;
};

// What dies with the process.
struct ServerWorld::Life {
  Life(ServerWorld& world, control::ServiceOptions options)
      : io(std::make_unique<asio::io_context>(1)),
        journal(io->get_executor(), world.disk_, world.dice_, world.verdict_),
        shell(io->get_executor(), "shell", world.machine_, world.dice_, world.verdict_),
        other(io->get_executor(), "other", world.machine_, world.dice_, world.verdict_),
        service(std::make_unique<control::Service>(
            io->get_executor(), std::move(options), *world.clock_, journal, journal,
            std::map<std::string, Executor*>{{"other", &other}, {"shell", &shell}})),
        clients(*io, *service, world.disk_, world.witness_, world.dice_, world.verdict_,
                world.commands_) {}
  // The coroutines go first: what they use is still there. Before them, what holds their timers.
  ~Life() {
    service->stop();
    journal.drop_callbacks();
    shell.drop_callbacks();
    other.drop_callbacks();
    io.reset();
    service.reset();
  }

  std::unique_ptr<asio::io_context> io;
  SimulatedJournal journal;
  SimulatedExecutor shell, other;
  std::unique_ptr<control::Service> service;
  Clients clients;
  bool started = false;
  bool failed = false;  // it could not start
  bool draining = false;
};

ServerWorld::ServerWorld(std::uint64_t seed, bool tracing, bool aloud)
    : dice_(seed),
      disk_(verdict_),
      machine_(disk_, dice_, verdict_),
      witness_(disk_, machine_, verdict_),
      clock_(std::make_unique<Clock>(dice_)) {
  verdict_.tracing = tracing;
  verdict_.aloud = aloud;
  if (dice_.one_in(3)) machine_.max_running = 2 + static_cast<int>(dice_.below(5));
}

ServerWorld::~ServerWorld() = default;

// ── Lives ────────────────────────────────────────────────────────────────────────────────────────

void ServerWorld::start_life() {
  control::ServiceOptions options;
  options.core.max_running = machine_.max_running;
  options.core.aging = Millis(2000);
  options.core.key_memory = dice_.one_in(2) ? Millis(3000) : Millis(600000);
  options.core.max_live_tasks = dice_.one_in(5) ? 40 : 1000000;
  options.record_cache = dice_.one_in(2) ? 3 : 1000;
  options.max_waiters = dice_.one_in(5) ? 6 : 10000;
  options.node = "here";
  options.id_seed = dice_.draw() | 1U;
  life_ = std::make_unique<Life>(*this, std::move(options));
  auto index = RepositoryIndex::build({{"api", "/repos/api", {}, {}, "", ""},
                                       {"web", "/repos/web", {}, {}, "", ""},
                                       {"ops", "/repos/ops", {}, {}, "", ""}});
  life_->service->set_repositories(*index);
  verdict_.tell("life ", disk_.epoch() + 1, " begins");
  asio::co_spawn(*life_->io, life_->service->start(disk_.begin_life(), 3),
                 [this](const std::exception_ptr& thrown, const Status& started) {
                   if (thrown) verdict_.fail("an exception left the start");
                   life_->started = started.has_value();
                   life_->failed = !started.has_value();
                   verdict_.tell(started ? "the server is up" : "the server cannot start");
                 });
}

void ServerWorld::end_life(bool orderly) {
  life_->journal.end(orderly);
  life_.reset();
  const bool long_gone = dice_.one_in(5);
  const bool power_loss = !orderly && dice_.one_in(6);
  clock_->pass(long_gone ? Millis(60000) : Millis(dice_.below(2000)));
  if (power_loss) clock_->mono = MonoTime{std::chrono::seconds(dice_.below(100))};
  machine_.while_down(long_gone, power_loss);
  if (power_loss) verdict_.tell("the machine boots");
}

void ServerWorld::crash() { end_life(false); }

// ── Steps ────────────────────────────────────────────────────────────────────────────────────────

bool ServerWorld::poll(std::uint64_t handlers) {
  bool any = false;
  life_->io->restart();
  while (handlers-- > 0 && life_->io->poll_one() > 0) any = true;
  return any;
}

bool ServerWorld::executors_act() {
  SimulatedExecutor& first = dice_.one_in(2) ? life_->shell : life_->other;
  SimulatedExecutor& second = &first == &life_->shell ? life_->other : life_->shell;
  return first.act() || second.act();
}

void ServerWorld::pass_time() {
  clock_->pass(Millis(dice_.below(1500)));
  if (clock_->due()) clock_->ring();
}

void ServerWorld::step_clock() {
  if (dice_.one_in(3)) {
    clock_->pass(Millis(dice_.below(3600000)));  // the machine slept
  } else {
    clock_->wall += Millis(dice_.below(7200000)) - hours(1);
  }
  verdict_.tell("the clock is set");
}

void ServerWorld::weather() {
  Health& health = life_->journal.health;
  health = !dice_.one_in(3) ? Health::Well : dice_.one_in(2) ? Health::Full : Health::Broken;
  verdict_.tell("the disk is ", health == Health::Well   ? "well"
                                : health == Health::Full ? "full"
                                                         : "broken");
}

void ServerWorld::act() {
  if (!life_) start_life();
  const std::uint64_t what = dice_.below(1000);
  if (what < 450) {
    poll(1 + dice_.below(3));
  } else if (what < 640) {
    life_->journal.act();
  } else if (what < 800) {
    executors_act();
  } else if (what < 890) {
    if (life_->started) life_->clients.act();
  } else if (what < 900) {
    life_->clients.vanish();
  } else if (what < 960) {
    pass_time();
  } else if (what < 975) {
    settle();
  } else if (what < 985) {
    weather();
  } else if (what < 990) {
    step_clock();
  } else if (what < 992) {
    if (life_->started && !std::exchange(life_->draining, true)) {
      life_->clients.drain(Millis(dice_.below(20000)));
    }
  } else if (what < 996) {
    crash();
  }
  if (life_ && (life_->failed || life_->clients.drained())) end_life(true);
  if (life_) check();
}

// ── Rules ────────────────────────────────────────────────────────────────────────────────────────

void ServerWorld::check() {
  if (const std::string wrong = life_->service->check(); !wrong.empty()) verdict_.fail(wrong);
}

// Lets what is under way come to rest, if it does.
void ServerWorld::settle() {
  for (int i = 0; i < 2000 && verdict_.broken.empty(); ++i) {
    const bool ran = poll(1000);
    const bool wrote = life_->journal.act();
    if (!ran && !wrote) break;
  }
  if (calm()) check_calm();
}

bool ServerWorld::calm() const {
  return life_->started && !life_->draining && life_->journal.idle() &&
         !life_->shell.recovering() && !life_->other.recovering();
}

// The core, the disk, the machine and those who wait agree on what there is.
void ServerWorld::check_calm() {
  verdict_.tell("all is calm");
  life_->clients.check_calm();
  const CoreCounts counts = life_->service->counts();
  std::uint64_t live = 0;
  std::uint64_t flows = 0;
  for (const auto& [id, task] : disk_.tasks()) live += is_terminal(task.status.state) ? 0 : 1;
  for (const auto& [id, flow] : disk_.workflows()) flows += is_terminal(flow.status.state) ? 0 : 1;
  if (counts.live != live) verdict_.fail("the core holds other tasks than the disk");
  if (counts.workflows != flows) verdict_.fail("the core holds other workflows than the disk");
  if (counts.running != life_->shell.open() + life_->other.open()) {
    verdict_.fail("the ledger is not what runs");
  }
  std::size_t pools = 0;
  for (const PoolStatus& pool : life_->service->pools()) {
    ++pools;
    const PoolRecord* stored = disk_.pool(pool.record.id);
    if (stored == nullptr || stored->target_workers != pool.record.target_workers ||
        stored->paused != pool.record.paused) {
      verdict_.fail("pool " + pool.record.spec.name + " is not as on disk");
    }
  }
  if (pools != disk_.pools()) verdict_.fail("a closed pool is still on disk");
}

void ServerWorld::finish() {
  machine_.ending = true;
  if (life_ && life_->draining) crash();
  for (int round = 0; round < 100000 && verdict_.broken.empty(); ++round) {
    if (!life_) start_life();
    life_->journal.health = Health::Well;
    if (poll(1000) | life_->journal.act() | executors_act()) {
      check();
      continue;
    }
    if (life_->failed) {
      crash();
      continue;
    }
    if (calm()) check_calm();
    const CoreCounts counts = life_->service->counts();
    if (life_->started && counts.live == 0 && counts.workflows == 0 && machine_.left() == 0) break;
    if (life_->started) life_->clients.open_pools();
    if (clock_->set()) clock_->pass(std::max(Millis(1), clock_->left()));
    if (clock_->due()) clock_->ring();
  }
  if (!verdict_.broken.empty()) return;
  const CoreCounts counts = life_->service->counts();
  if (counts.live > 0 || counts.workflows > 0) {
    verdict_.fail("it does not come to its end: " + std::to_string(counts.live) + " tasks and " +
                  std::to_string(counts.workflows) + " workflows are live");
  }
  if (machine_.left() > 0) verdict_.fail("an attempt is left that nobody released");
  witness_.look_back();
}

}  // namespace mahavishnu::simulation
