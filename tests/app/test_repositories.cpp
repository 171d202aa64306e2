#include <doctest/doctest.h>
#include <sys/stat.h>

#include <atomic>
#include <thread>

#include "app/repository_file.h"
#include "app/repository_watch.h"
#include "app/scratch.h"

namespace mahavishnu::app {
namespace {

const Environment kHome = {{"HOME", "/home/ada"}};

std::string fault(const std::string& text) {
  const auto repositories = parse_repositories(text, "/etc/repos.yaml", kHome);
  REQUIRE_FALSE(repositories.has_value());
  return repositories.error().message;
}

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_SUITE("repository file") {
  TEST_CASE("all fields are read, paths made absolute") {
    const auto repositories = parse_repositories(
        "repos:\n"
        "  - {name: api, path: ~/api, nicknames: [back], tags: [py, svc], role: service, "
        "description: The API}\n"
        "  - name: web\n    path: ../web\n",
        "/etc/mahavishnu/repos.yaml", kHome);
    REQUIRE(repositories.has_value());
    REQUIRE(repositories->size() == 2);
    const auto& api = repositories->front();
    CHECK(api.path == "/home/ada/api");
    CHECK(api.nicknames == std::vector<std::string>{"back"});
    CHECK(api.tags == std::vector<std::string>{"py", "svc"});
    CHECK(api.role == "service");
    CHECK(api.description == "The API");
    CHECK(repositories->back().path == "/etc/web");
  }

  TEST_CASE("an empty file is no repositories") {
    CHECK(parse_repositories("", "/r.yaml", kHome)->empty());
    CHECK(parse_repositories("repos:\n", "/r.yaml", kHome)->empty());
  }

  TEST_CASE("an unknown key names its place and the nearest known one") {
    CHECK(holds(fault("repos:\n  - name: a\n    pth: /a\n"),
                "/etc/repos.yaml:3:5: unknown key pth; did you mean path?"));
    CHECK(holds(fault("repositories: []\n"), "unknown key repositories"));
  }

  TEST_CASE("wrong types say what was expected and what came") {
    CHECK(holds(fault("repos: {a: b}\n"), "expected a list, found a map"));
    CHECK(holds(fault("repos:\n  - api\n"), "expected a map with name and path"));
    CHECK(holds(fault("repos:\n  - {name: a, path: /a, tags: x}\n"),
                "expected a list such as [a, b]"));
    CHECK(
        holds(fault("repos:\n  - {name: [a], path: /a}\n"), "name: expected a text, found a list"));
    CHECK(holds(fault("- a\n"), "expected `repos:`"));
  }

  TEST_CASE("name and path are needed, once") {
    CHECK(holds(fault("repos:\n  - {path: /a}\n"), "without a name"));
    CHECK(holds(fault("repos:\n  - {name: a}\n"), "repository a has no path"));
    CHECK(holds(fault("repos:\n  - {name: a, name: b, path: /a}\n"), "given twice"));
  }

  TEST_CASE("aliases of aliases are bounded") {
    std::string text = "repos:\n- {name: &s s, path: /a}\n- &l {name: x, path: /b, tags: &t [";
    for (int i = 0; i < 2000; ++i) text += "*s,";
    text += "]}\n";
    for (int i = 0; i < 1000; ++i) text += "- *l\n";
    CHECK(holds(fault(text), "a million nodes"));
  }

  TEST_CASE("what is written reads back") {
    const std::vector<domain::Repository> written = {
        {"a: b", "/p/#x", {"n"}, {"t 1", "- t"}, "role", "line\nand \"more\""}};
    const auto read = parse_repositories(write_repositories(written), "/r.yaml", kHome);
    REQUIRE(read.has_value());
    REQUIRE(read->size() == 1);
    CHECK(read->front().name == "a: b");
    CHECK(read->front().path == "/p/#x");
    CHECK(read->front().tags == written.front().tags);
    CHECK(read->front().description == written.front().description);
  }
}

TEST_SUITE("repository scan") {
  TEST_CASE("checkouts are found, with unique names and guessed tags") {
    const Scratch scratch;
    scratch.folder("one/api/.git");
    scratch.file("one/api/package.json", "{}");
    scratch.folder("two/api/.git");
    scratch.file("three/.git", "gitdir: elsewhere\n");
    const auto found = scan_for_repositories(scratch.path());
    REQUIRE(found.has_value());
    REQUIRE(found->size() == 3);
    CHECK((*found)[0].name == "one-api");
    CHECK((*found)[0].tags == std::vector<std::string>{"node"});
    CHECK((*found)[1].name == "three");
    CHECK((*found)[2].name == "two-api");
  }

  TEST_CASE("hidden folders, node_modules, links and deep folders are not entered") {
    const Scratch scratch;
    scratch.folder(".cache/a/.git");
    scratch.folder("node_modules/b/.git");
    scratch.folder("1/2/3/4/.git");
    scratch.folder("1/2/3/x/5/.git");
    std::filesystem::create_directory_symlink(scratch.path() + "/1", scratch.path() + "/link");
    const auto found = scan_for_repositories(scratch.path());
    REQUIRE(found.has_value());
    REQUIRE(found->size() == 1);
    CHECK(found->front().path == scratch.path() + "/1/2/3/4");
  }

  TEST_CASE("nothing below a checkout is looked at") {
    const Scratch scratch;
    scratch.folder("a/.git");
    scratch.folder("a/sub/.git");
    CHECK(scan_for_repositories(scratch.path())->size() == 1);
  }

  TEST_CASE("a missing folder is an error that names it") {
    CHECK(holds(scan_for_repositories("/nowhere/at/all").error().message, "/nowhere/at/all"));
  }

  TEST_CASE("the checkout around a folder is found from below") {
    const Scratch scratch;
    scratch.folder("repo/.git");
    CHECK(checkout_around(scratch.folder("repo/src/deep")) == scratch.path() + "/repo");
    CHECK(repositories_around(scratch.folder("repo/src")).front().name == "repo");
  }
}

// Runs the watch until `done` says so, or fails after a while.
template <class Done>
void run_until(asio::io_context& context, Done done) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!done() && std::chrono::steady_clock::now() < limit) {
    context.run_one_for(std::chrono::milliseconds(100));
  }
  REQUIRE(done());
}

struct Watched {
  explicit Watched(const std::string& file)
      : watch(context.get_executor(), {file, kHome, base::Millis(5)},
              [this](RepositoryIndexPtr index) { seen = std::move(index); }) {}
  ~Watched() {
    bool stopped = false;
    asio::co_spawn(context, watch.stop(), [&](std::exception_ptr) { stopped = true; });
    run_until(context, [&] { return stopped; });
  }

  asio::io_context context;
  RepositoryIndexPtr seen;
  RepositoryWatch watch;
};

RepositoryIndexPtr one_repository() {
  return *domain::RepositoryIndex::build({{"a", "/a", {}, {}, "", ""}});
}

TEST_SUITE("RepositoryWatch") {
  TEST_CASE("repositories out of use are freed on the file thread") {
    const Scratch scratch;
    std::atomic<std::thread::id> freed_by{};
    Watched watched(scratch.file("repos.yaml", "repos: [{name: a, path: /a}]\n"));
    const RepositoryIndexPtr kept = one_repository();
    const auto told = [&freed_by](const auto*) { freed_by = std::this_thread::get_id(); };
    watched.watch.start(RepositoryIndexPtr(kept.get(), told),
                        RepositoryWatch::version_of(scratch.path() + "/repos.yaml"));
    run_until(watched.context, [&] { return freed_by.load() != std::thread::id{}; });
    CHECK(freed_by.load() != std::this_thread::get_id());
  }

  TEST_CASE("an edit is taken over") {
    const Scratch scratch;
    Watched watched(scratch.file("repos.yaml", "repos: [{name: a, path: /a}]\n"));
    watched.watch.start(one_repository(),
                        RepositoryWatch::version_of(scratch.path() + "/repos.yaml"));
    scratch.file("repos.yaml", "repos: [{name: a, path: /a}, {name: b, path: /b}]\n");
    run_until(watched.context, [&] { return watched.seen != nullptr; });
    CHECK(watched.seen->all().size() == 2);
    CHECK(watched.watch.status().problem.empty());
  }

  TEST_CASE("a broken edit keeps the old list and says why; a mended one is taken over") {
    const Scratch scratch;
    Watched watched(scratch.file("repos.yaml", "repos: [{name: a, path: /a}]\n"));
    watched.watch.start(one_repository(),
                        RepositoryWatch::version_of(scratch.path() + "/repos.yaml"));
    scratch.file("repos.yaml", "repos: [{name: a, pth: /elsewhere}]\n");
    run_until(watched.context, [&] { return !watched.watch.status().problem.empty(); });
    CHECK(watched.seen == nullptr);
    CHECK(holds(watched.watch.status().problem, "did you mean path?"));
    CHECK(watched.watch.status().repositories == 1);
    scratch.file("repos.yaml", "repos: [{name: b, path: /elsewhere/b}]\n");
    run_until(watched.context, [&] { return watched.seen != nullptr; });
    CHECK(watched.watch.status().problem.empty());
  }

  TEST_CASE("a duplicate name is a problem of the file") {
    const Scratch scratch;
    Watched watched(
        scratch.file("repos.yaml", "repos: [{name: a, path: /a}, {name: a, path: /b}]\n"));
    watched.watch.start(one_repository(), {});
    run_until(watched.context, [&] { return !watched.watch.status().problem.empty(); });
    CHECK(holds(watched.watch.status().problem, "repos.yaml"));
  }

  TEST_CASE("a file that appears later is taken over") {
    const Scratch scratch;
    Watched watched(scratch.path() + "/repos.yaml");
    watched.watch.start(one_repository(), {});
    scratch.file("repos.yaml", "repos: [{name: b, path: /b}]\n");
    run_until(watched.context, [&] { return watched.seen != nullptr; });
    CHECK(watched.seen->all().front().name == "b");
  }
}

}  // namespace
}  // namespace mahavishnu::app
