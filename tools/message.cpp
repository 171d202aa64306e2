// Tools `message_*`: messages between repositories, scripts and assistants over durable topics.
#include <algorithm>

#include "domain/bus_topics.h"
#include "tools/inputs.h"
#include "tools/json_views.h"
#include "tools/registry.h"
#include "tools/token_estimate.h"

namespace mahavishnu::tools {
namespace {

constexpr std::size_t kMostHeaders = 32;
constexpr std::size_t kHeaderBytes = 1024;
constexpr std::size_t kMostAcks = 500;
constexpr std::size_t kMostTopics = 50;  // of one answer
constexpr std::size_t kAnswerBodies = 30U << 10U;
constexpr std::size_t kMostTokens = kAnswerTokens - 1500;  // leaves room for what is said of it
constexpr base::Millis kLongestAck{3600000};
constexpr base::Millis kLongestLife{std::chrono::hours(24 * 30)};

// Names of groups and consumers are shown as one line each.
std::string read_name(Reader& reader, const char* name) {
  const std::string text = reader.text(name);
  if (std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < ' '; })) {
    reader.refuse(std::string(name) + ": a name has no control characters");
  }
  return text;
}

domain::RepositoryQuery read_to(Reader& arguments) {
  Reader reader = arguments.object("to");
  domain::RepositoryQuery query;
  query.all = reader.flag("all");
  query.tag = reader.text("tag");
  query.role = reader.text("role");
  if (reader.has("repo")) query.names = {reader.required_text("repo")};
  static_cast<void>(reader.finish());  // `arguments` shares the problem
  return query;
}

// What a message to these repositories is published on: the filter, and each one's inbox.
Result<std::vector<std::string>> topics_to(const Context& context,
                                           const domain::RepositoryQuery& query) {
  const auto index = context.service.repositories();
  auto chosen = index->select(query);
  if (!chosen) {
    Error error = chosen.error();
    error.message = "to: " + error.message;
    return fail(std::move(error));
  }
  std::vector<std::string> topics;
  if (query.names.empty()) {
    topics.push_back(!query.tag.empty()    ? "tag." + domain::topic_word(query.tag)
                     : !query.role.empty() ? "role." + domain::topic_word(query.role)
                                           : "all");
  }
  for (const auto* repository : *chosen) topics.push_back(domain::inbox_of(repository->name));
  return topics;
}

base::awaitable<mcp::ToolResult> message_publish(Context& context, Json arguments,
                                                 mcp::Call& call) {
  std::optional<Error> problem;
  Reader reader(arguments, "", problem);
  domain::NewMessage message;
  const bool to_repositories = reader.exactly_one({"topic", "to"}) == "to";
  const auto query = read_to(reader);
  const std::string topic = reader.text("topic", domain::kTopicBytes);
  message.body = reader.any_text("body", domain::kMessageBytes);
  message.headers = reader.map("headers", kMostHeaders, kHeaderBytes);
  const std::string from = reader.text("from");
  message.ttl = reader.millis("ttl_ms", base::Millis{0}, kLongestLife);
  const base::Millis wait = read_wait_ms(reader);
  refuse_longer(reader, "body", {{"body", message.body}, {"headers", message.headers}},
                kMostTokens);
  if (auto good = reader.finish(); !good) co_return fail(good.error());

  message.sender = call.caller();
  if (!from.empty()) {
    const auto index = context.service.repositories();
    auto repository = index->find(from);
    if (!repository) co_return fail(repository.error());
    message.sender = (*repository)->name;
  }
  if (to_repositories) {
    auto topics = topics_to(context, query);
    if (!topics) co_return fail(topics.error());
    message.topics = std::move(*topics);
  } else if (topic == domain::kEventWord ||
             topic.starts_with(std::string(domain::kEventWord) + ".")) {
    co_return fail(ErrorCode::InvalidArgument,
                   "topic: what begins with event. is told by the server; choose another");
  } else {
    message.topics = {topic};
  }
  const std::string shown = message.topics.front();
  const std::size_t inboxes = message.topics.size() - (query.names.empty() ? 1 : 0);
  auto published = co_await context.bus.publish(std::move(message), wait);
  if (!published) co_return fail(published.error());
  Json answer{{"message", published->id.str()}, {"topic", shown}, {"groups", published->groups}};
  if (to_repositories) answer["repos"] = inboxes;
  if (published->dropped > 0) answer["dropped"] = published->dropped;
  co_return rpc::dump(answer);
}

Json message_view(const domain::MessageDelivery& delivery) {
  const domain::Message& message = *delivery.message;
  Json view{{"message", message.id.str()},
            {"topic", message.topics.front()},
            {"body", message.body},
            {"from", message.sender},
            {"published", base::to_rfc3339(message.published)},
            {"expires", base::to_rfc3339(message.expires)},
            {"delivery", delivery.deliveries}};
  if (!message.headers.empty()) view["headers"] = message.headers;
  return view;
}

// Whose messages, and under which group.
Status read_source(const Context& context, Reader& reader, control::MessageBus::PollArgs& args) {
  const bool inbox = reader.exactly_one({"topic", "repo"}) == "repo";
  const std::string repo = reader.text("repo");
  args.pattern = reader.text("topic", domain::kTopicBytes);
  args.group = read_name(reader, "group");
  args.earliest = reader.flag("earliest", inbox);
  if (!inbox && args.group.empty()) {
    reader.refuse("group: name the group whose consumers share these messages");
  }
  if (auto good = reader.finish(); !good || !inbox) return good;
  const auto index = context.service.repositories();
  auto repository = index->find(repo);
  if (!repository) return fail(repository.error());
  args.pattern = domain::inbox_of((*repository)->name);
  if (args.group.empty()) args.group = args.pattern;
  return {};
}

base::awaitable<mcp::ToolResult> message_poll(Context& context, Json arguments, mcp::Call& call) {
  std::optional<Error> problem;
  Reader reader(arguments, "", problem);
  control::MessageBus::PollArgs args;
  args.consumer = read_name(reader, "consumer");
  if (args.consumer.empty()) args.consumer = call.caller();
  args.limits.messages = static_cast<std::size_t>(reader.integer("limit", 10, 1, 100));
  args.limits.ack_within = reader.millis("ack_ms", args.limits.ack_within, kLongestAck);
  args.limits.ack_within = std::max(args.limits.ack_within, base::Millis{1});
  args.limits.bytes = kAnswerBodies;
  const base::Millis wait = read_wait_ms(reader);
  if (auto good = read_source(context, reader, args); !good) co_return fail(good.error());

  const std::string group = args.group;
  auto polled = co_await context.bus.poll(std::move(args), wait);
  if (!polled) co_return fail(polled.error());
  const auto head = [&] {
    return Json{{"group", group},
                {"ready", context.bus.bus().ready(polled->group)},
                {"in_flight", context.bus.bus().in_flight(polled->group)}};
  };
  ItemList list(head());
  std::vector<domain::MessageNo> left_out;
  for (const auto& one : polled->messages) {
    if (!left_out.empty() || !list.add(message_view(one))) left_out.push_back(one.message->no);
  }
  context.bus.put_back(polled->group, left_out);
  if (!left_out.empty()) list.set_head(head());
  co_return list.finish("items", "");
}

base::awaitable<mcp::ToolResult> message_ack(Context& context, Json arguments, mcp::Call&) {
  std::optional<Error> problem;
  Reader reader(arguments, "", problem);
  std::string group = reader.required_text("group");
  const bool retry = reader.flag("retry");
  std::vector<domain::MessageId> messages;
  for (const auto& text : reader.texts("messages", kMostAcks, kNameBytes)) {
    auto id = domain::MessageId::parse(text);
    if (id) {
      messages.push_back(*id);
    } else {
      reader.refuse("messages: " + id.error().message);
    }
  }
  if (messages.empty()) reader.refuse("messages: name at least one");
  if (auto good = reader.finish(); !good) co_return fail(good.error());
  auto settled = co_await context.bus.ack(std::move(group), std::move(messages), retry);
  if (!settled) co_return fail(settled.error());
  Json unknown = Json::array();
  for (const auto& id : settled->unknown) unknown.push_back(id.str());
  co_return rpc::dump(
      Json{{retry ? "retried" : "acked", settled->done.size()}, {"unknown", std::move(unknown)}});
}

Json group_view(const domain::GroupView& group) {
  Json view{{"group", group.record.name},   {"topic", group.record.pattern},
            {"ready", group.ready},         {"in_flight", group.in_flight},
            {"delivered", group.delivered}, {"acked", group.acked}};
  const auto put = [&view](const char* name, std::uint64_t count) {
    if (count > 0) view[name] = count;
  };
  put("redelivered", group.redelivered);
  put("dropped", group.dropped);
  put("expired", group.expired);
  put("dead", group.dead);
  for (const auto& hung : group.hung) {
    view["hung"].push_back({{"consumer", hung.consumer},
                            {"message", hung.message.str()},
                            {"since", base::to_rfc3339(hung.since)},
                            {"times", hung.times}});
  }
  return view;
}

base::awaitable<mcp::ToolResult> message_topics(Context& context, Json arguments, mcp::Call&) {
  std::optional<Error> problem;
  Reader reader(arguments, "", problem);
  std::string pattern = reader.text("topic", domain::kTopicBytes);
  if (pattern.empty()) pattern = "#";
  if (auto good = domain::check_pattern(pattern); !good) reader.refuse(good.error().message);
  const domain::Page page = read_page(reader);
  if (auto good = reader.finish(); !good) co_return fail(good.error());
  const domain::Bus& bus = context.bus.bus();
  const auto counts = bus.counts();
  Json topics = Json::array();
  for (const auto& topic : bus.topics(pattern, kMostTopics)) {
    topics.push_back({{"topic", topic.topic},
                      {"policy", to_string(topic.policy)},
                      {"messages", topic.messages},
                      {"bytes", topic.bytes}});
  }
  ItemList list(
      Json{{"topics", std::move(topics)}, {"messages", counts.messages}, {"bytes", counts.bytes}});
  std::string next;
  for (const auto& group : bus.groups()) {  // the cursor is the name shown last
    if (!page.cursor.empty() && group.record.name <= page.cursor) continue;
    if (list.size() == static_cast<std::size_t>(page.limit) || !list.add(group_view(group))) {
      co_return list.finish("items", next);
    }
    next = group.record.name;
  }
  co_return list.finish("items", "");
}

mcp::Tool tool(Context& context, const char* name, const char* title, const char* description,
               mcp::Effect effect, Handler handler) {
  About about{name, title, description, effect};
  about.toolset = "message";
  return make_tool(context, std::move(about), handler);
}

}  // namespace

std::vector<mcp::Tool> message_tools(Context& context) {
  using mcp::Effect;
  std::vector<mcp::Tool> tools;
  tools.push_back(tool(context, "message_publish", "Send a message",
                       "Send a text on a topic, or to repositories by name, tag or role; on disk "
                       "before the answer, delivered at least once to every group that listens. "
                       "Use task_submit to have work done instead.",
                       Effect::Additive, message_publish));
  tools.push_back(tool(context, "message_poll", "Receive messages",
                       "Take the next messages of a topic pattern or of a repository's inbox for a "
                       "group; its consumers share them. Confirm each with message_ack within "
                       "ack_ms, or it is given out again. wait_ms waits for the first.",
                       Effect::Additive, message_poll));
  tools.push_back(tool(context, "message_ack", "Confirm messages",
                       "Say that messages taken with message_poll are dealt with; with retry they "
                       "are given out again at once.",
                       Effect::Idempotent, message_ack));
  tools.push_back(tool(context, "message_topics", "Show topics and groups",
                       "What the message bus holds: topics with their slow-consumer policies, and "
                       "groups with what waits, who is behind and which consumers hang.",
                       Effect::ReadOnly, message_topics));
  return tools;
}

}  // namespace mahavishnu::tools
