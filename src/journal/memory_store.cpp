#include "journal/memory_store.h"

#include <utility>
#include <vector>

#include "journal/memory_search.h"

namespace mahavishnu::journal {
namespace {

constexpr base::Millis kCatchUp{300};  // a search waits so long for what has just been written

Error off() {
  return {ErrorCode::Unavailable,
          "memories are off on this server; set memory.enabled to true and start it again", 0};
}

Error check(const domain::NewMemory& memory) {
  if (memory.content.find_first_not_of(" \t\r\n") == std::string::npos) {
    return {ErrorCode::InvalidArgument, "content: there is nothing in it to remember", 0};
  }
  if (memory.content.size() > domain::kMemoryContentBytes) {
    return {ErrorCode::InvalidArgument,
            "content: a memory has at most " + std::to_string(domain::kMemoryContentBytes) +
                " bytes, this one " + std::to_string(memory.content.size()) +
                "; store what matters of it, or several",
            0};
  }
  return {};
}

domain::NewMemory redacted(const base::Redactor& redactor, domain::NewMemory memory) {
  memory.content = redactor.redact(domain::plain_text(memory.content));
  for (std::string& tag : memory.tags) tag = redactor.redact(domain::plain_text(tag));
  domain::StringMap metadata;
  for (const auto& [key, value] : memory.metadata) {
    // With its key in front: that is what tells a password from another word.
    std::string both = redactor.redact(domain::plain_text(key + "=" + value));
    const std::size_t split = key.size() + 1;
    const bool kept = both.size() > split && both.compare(0, split, key + "=") == 0;
    metadata[kept ? key : redactor.redact(domain::plain_text(key))] =
        kept ? both.substr(split) : redactor.redact(domain::plain_text(value));
  }
  memory.metadata = std::move(metadata);
  return memory;
}

}  // namespace

Result<std::unique_ptr<MemoryStore>> MemoryStore::open(std::shared_ptr<Delivery> delivery,
                                                       Options options) {
  std::unique_ptr<MemoryStore> store(new MemoryStore(std::move(delivery), std::move(options)));
  if (!store->options_.enabled) return store;
  auto forget = [raw = store.get()](std::int64_t up_to) {
    auto change = std::make_shared<MemoryChange>();
    change->what = ForgetMemories{up_to};
    change->done = [raw](Status) { raw->index_->news(); };
    raw->append(std::move(change));
  };
  store->index_ = std::make_unique<MemoryIndex>(store->options_.index, std::move(forget));
  return store;
}

MemoryStore::MemoryStore(std::shared_ptr<Delivery> delivery, Options options)
    : delivery_(std::move(delivery)), options_(std::move(options)) {}

void MemoryStore::connect(CommitThread& writer, ReaderPool& readers) {
  writer_ = &writer;
  readers_ = &readers;
  if (index_) index_->start();
}

void MemoryStore::grew(std::int64_t newest) {
  if (index_) index_->grew(newest);
}

std::int64_t MemoryStore::behind() const { return index_ ? index_->behind() : 0; }
std::int64_t MemoryStore::count() const { return index_ ? index_->count() : 0; }

std::optional<std::int64_t> MemoryStore::count(domain::PoolId pool) const {
  if (!index_) return std::nullopt;
  return index_->count(pool);
}

void MemoryStore::stop() {
  if (searches_) searches_->stop();
  if (index_) index_->stop();
}

template <class T>
void MemoryStore::reply(Answer<T> answer, Result<T> result) {
  delivery_->post([answer = std::move(answer), result = std::move(result)]() mutable {
    answer(std::move(result));
  });
}

void MemoryStore::append(std::shared_ptr<MemoryChange> change) {
  Commit commit;
  commit.records = std::make_shared<const std::vector<domain::Record>>();
  commit.memory = change;
  std::vector<Commit> commits;
  commits.push_back(std::move(commit));
  if (writer_->append(std::move(commits)).empty()) return;
  change->done(fail(ErrorCode::Exhausted, "too many commits are waiting for the disk; try again",
                    kQueueRetryMs));
}

void MemoryStore::store(domain::NewMemory memory, Answer<domain::StoredMemory> answer) {
  if (!index_) return reply<domain::StoredMemory>(std::move(answer), fail(off()));
  if (Error wrong = check(memory); !wrong.message.empty()) {
    return reply<domain::StoredMemory>(std::move(answer), fail(std::move(wrong)));
  }
  const auto now = base::wall_now();
  const domain::MemoryId id{ids_.next(now)};
  readers_->submit([this, id, now, memory = std::move(memory),
                    answer = std::move(answer)](Result<Database*> thread) mutable {
    if (!thread) return reply<domain::StoredMemory>(std::move(answer), fail(thread.error()));
    auto change = std::make_shared<MemoryChange>();
    change->what = StoreMemory{id, redacted(*options_.index.redactor, std::move(memory)), now};
    change->done = [this, raw = change.get(), answer = std::move(answer)](Status status) {
      reply<domain::StoredMemory>(
          answer, status ? Result<domain::StoredMemory>(raw->stored) : fail(status.error()));
    };
    append(std::move(change));
  });
}

void MemoryStore::search(domain::MemoryQuery query, Answer<domain::MemoriesFound> answer) {
  if (!index_) return reply<domain::MemoriesFound>(std::move(answer), fail(off()));
  if (!searches_) {
    auto reader = index_->reader();
    if (!reader) return reply<domain::MemoriesFound>(std::move(answer), fail(reader.error()));
    std::vector<Database> connections;
    connections.push_back(std::move(*reader));
    searches_ = std::make_unique<ReaderPool>(std::move(connections), options_.read_limit);
  }
  searches_->submit([this, query = std::move(query),
                     answer = std::move(answer)](Result<Database*> database) mutable {
    if (!database) return reply<domain::MemoriesFound>(std::move(answer), fail(database.error()));
    const std::int64_t behind = index_->catch_up(kCatchUp);
    auto found = search_memories(**database, query);
    if (found) found->behind = behind;
    reply<domain::MemoriesFound>(std::move(answer), std::move(found));
  });
}

}  // namespace mahavishnu::journal
