#include "journal/message_writer.h"

#include <utility>

#include "journal/spec_json.h"

namespace mahavishnu::journal {
namespace {

constexpr const char* kPublish =
    "INSERT INTO messages(no,id,topics,body,headers,sender,published,expires) "
    "VALUES(?,?,?,?,?,?,?,?)";
constexpr const char* kMessages =
    "SELECT no,id,topics,body,headers,sender,published,expires FROM messages ORDER BY no";

std::int64_t number(std::uint64_t value) { return static_cast<std::int64_t>(value); }
std::uint64_t number(const Statement& row, int column) {
  return static_cast<std::uint64_t>(row.integer(column));
}

Result<domain::MessagePtr> read_message(const Statement& row) {
  auto message = std::make_shared<domain::Message>();
  message->no = number(row, 0);
  message->id = {row.id(1)};
  if (auto read = read_json(row.text(2), message->topics); !read) return fail(read.error());
  message->body = row.text(3);
  if (!row.is_null(4)) {
    if (auto read = read_json(row.text(4), message->headers); !read) return fail(read.error());
  }
  message->sender = row.text(5);
  message->published = row.time(6);
  message->expires = row.time(7);
  return message;
}

// Calls `take` with every row; its error ends it.
template <class Take>
Status each_row(Database& database, const char* sql, Take take) {
  auto select = database.prepare(sql);
  if (!select) return fail(std::move(select.error()));
  while (true) {
    auto row = select->step();
    if (!row) return fail(std::move(row.error()));
    if (!*row) return {};
    if (Status taken = take(*select); !taken) return taken;
  }
}

}  // namespace

Result<MessageWriter> MessageWriter::open(Database& database) {
  MessageWriter writer;
  const std::pair<Statement*, const char*> statements[] = {
      {&writer.publish_, kPublish},
      {&writer.forget_, "DELETE FROM messages WHERE no=?"},
      {&writer.forget_acks_, "DELETE FROM message_acks WHERE message=?"},
      {&writer.join_, "INSERT INTO message_groups(no,name,pattern,start,joined) VALUES(?,?,?,?,?)"},
      {&writer.leave_, "DELETE FROM message_groups WHERE no=?"},
      {&writer.leave_acks_, "DELETE FROM message_acks WHERE consumers=?"},
      {&writer.ack_, "INSERT OR IGNORE INTO message_acks(message,consumers) VALUES(?,?)"},
  };
  for (const auto& [statement, sql] : statements) {
    auto prepared = database.prepare(sql);
    if (!prepared) return fail(std::move(prepared.error()));
    *statement = std::move(*prepared);
  }
  return writer;
}

Status MessageWriter::run(Statement& statement, std::uint64_t value) {
  statement.bind(1, number(value));
  return statement.run();
}

Status MessageWriter::put(const domain::Message& message) {
  topics_.clear();
  headers_.clear();
  write_json(message.topics, topics_);
  if (!message.headers.empty()) write_json(message.headers, headers_);
  publish_.bind(1, number(message.no));
  publish_.bind(2, message.id.value);
  publish_.bind(3, topics_);
  publish_.bind(4, message.body);
  publish_.bind_some(5, headers_);
  publish_.bind_some(6, message.sender);
  publish_.bind(7, message.published);
  publish_.bind(8, message.expires);
  return publish_.run();
}

Status MessageWriter::put(const domain::GroupRecord& group) {
  join_.bind(1, number(group.no));
  join_.bind(2, group.name);
  join_.bind(3, group.pattern);
  join_.bind(4, number(group.start));
  join_.bind(5, group.joined);
  return join_.run();
}

// In the order the change was made in: a group may leave and join anew in one.
Status MessageWriter::apply(const domain::BusChange& change) {
  for (const auto group : change.left) {
    if (auto done = run(leave_, group); !done) return done;
    if (auto done = run(leave_acks_, group); !done) return done;
  }
  for (const auto& group : change.joined) {
    if (auto done = put(group); !done) return done;
  }
  for (const auto& message : change.published) {
    if (auto done = put(*message); !done) return done;
  }
  for (const auto& ack : change.acked) {
    ack_.bind(2, number(ack.group));
    if (auto done = run(ack_, ack.message); !done) return done;
  }
  for (const auto message : change.gone) {
    if (auto done = run(forget_, message); !done) return done;
    if (auto done = run(forget_acks_, message); !done) return done;
  }
  return {};
}

Result<domain::BusSnapshot> load_messages(Database& database) {
  domain::BusSnapshot snapshot;
  auto groups =
      each_row(database, "SELECT no,name,pattern,start,joined FROM message_groups ORDER BY no",
               [&](const Statement& row) -> Status {
                 snapshot.groups.push_back({number(row, 0), std::string(row.text(1)),
                                            std::string(row.text(2)), number(row, 3), row.time(4)});
                 return {};
               });
  if (!groups) return fail(std::move(groups.error()));
  auto messages = each_row(database, kMessages, [&](const Statement& row) -> Status {
    auto message = read_message(row);
    if (!message) return fail(std::move(message.error()));
    snapshot.messages.push_back(std::move(*message));
    return {};
  });
  if (!messages) return fail(std::move(messages.error()));
  auto acks = each_row(database, "SELECT message,consumers FROM message_acks",
                       [&](const Statement& row) -> Status {
                         snapshot.acks.push_back({number(row, 0), number(row, 1)});
                         return {};
                       });
  if (!acks) return fail(std::move(acks.error()));
  return snapshot;
}

}  // namespace mahavishnu::journal
