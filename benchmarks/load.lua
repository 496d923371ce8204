-- What wrk sends: `wrk … -s load.lua URL -- KIND FIRST LAST THREADS`. A request names a card between FIRST and LAST, drawn
-- at random; `redeem_lots` and `bulk` take them in turn, each thread its own. The API's secret is in BENCH_SECRET.
-- `redeem_reward` draws one of the rewards in BENCH_REWARDS; `hold_capture` holds a point, and captures what was held.
-- `page` asks for the address in BENCH_PAGE, again and again.
-- The last line of the output is the result as JSON.

local BULK_ITEMS = 1000

local threads = {}

function setup(thread)
   thread:set("thread_number", #threads)
   table.insert(threads, thread)
end

local function card(number)
   return string.format("card_01990000000070008000%012x", number)
end

local function item(number, points)
   return string.format('{"card_id":"%s","points":%d,"reason":"Order","reference":"order_%d"', card(number), points, number)
end

local function customer(number)
   return string.format("cus_01990000000170008000%012x", number)
end

local function any()
   return math.random(first, last)
end

local function next_in_turn()
   local number = next_card
   next_card = next_card + thread_total
   return number
end

local path = {
   award = "/api/points/award",
   award_keyed = "/api/points/award",
   -- Cards were made in the order of their numbers, so a card's serial number there is its number here.
   award_by_rules = "/en/shop/points/award",
   redeem = "/api/points/redeem",
   redeem_lots = "/api/points/redeem",
   redeem_reward = "/v1/points/redeem",
   bulk = "/api/points/bulk",
}

local body = {
   award = function() return item(any(), 10) .. "}" end,
   award_keyed = function() return item(any(), 10) .. "}" end,
   award_by_rules = function()
      return string.format(
         '{"card_id":%d,"transaction_type":"purchase","purchase_amount":%d.99,"description":"Order"}', any(), math.random(1, 50)
      )
   end,
   redeem = function() return item(any(), 1) .. "}" end,
   redeem_lots = function()
      -- Each card can pay once.
      if next_card > last then
         ran_out = true
         wrk.thread:stop()
      end
      return item(next_in_turn(), 60) .. "}"
   end,
   redeem_reward = function()
      local reward = rewards[math.random(1, #rewards)]
      return string.format('{"customer_id":"%s","reward_id":"%s"}', customer(any()), reward)
   end,
   bulk = function()
      local items = {}
      for n = 1, BULK_ITEMS do
         if next_card > last then
            next_card = first + thread_number
         end
         items[n] = item(next_in_turn(), 10) .. ',"type":"award"}'
      end
      return '{"transactions":[' .. table.concat(items, ",") .. "]}"
   end,
}

function init(arguments)
   kind, first, last, thread_total = arguments[1], tonumber(arguments[2]), tonumber(arguments[3]), tonumber(arguments[4])
   math.randomseed(os.time() * 100 + thread_number)
   next_card = first + thread_number
   key_number = math.random(1, 1000000000) * 1000000
   wrk.headers["Authorization"] = "Bearer " .. os.getenv("BENCH_SECRET")
   wrk.headers["Content-Type"] = "application/json"
   rewards = {}
   for id in string.gmatch(os.getenv("BENCH_REWARDS") or "", "[^,]+") do
      table.insert(rewards, id)
   end
   if kind == "hold_capture" then
      -- What is held is captured by one of the next requests, of whatever connection.
      held = {}
      response = function(status, _, answer)
         local id = status == 201 and string.match(answer, '"id":"(hld_%x+)"')
         if id then
            table.insert(held, id)
         end
      end
   end
end

local function hold_or_capture()
   local id = table.remove(held)
   if id then
      return wrk.format("POST", "/v1/holds/" .. id .. "/capture", nil, "{}")
   end
   return wrk.format("POST", "/v1/holds", nil, string.format('{"customer_id":"%s","points":1}', customer(any())))
end

function request()
   if kind == "page" then
      return wrk.format("GET", os.getenv("BENCH_PAGE"))
   elseif kind == "balance" then
      return wrk.format("GET", "/api/points/balance/" .. card(any()))
   elseif kind == "history" then
      return wrk.format("GET", "/api/points/history/" .. card(any()) .. "?limit=20")
   elseif kind == "hold_capture" then
      return hold_or_capture()
   elseif kind == "award_keyed" then
      key_number = key_number + 1
      wrk.headers["Idempotency-Key"] = string.format("%.0f", key_number)
   end
   return wrk.format("POST", path[kind], nil, body[kind]())
end

function done(summary, latency, _)
   local errors = summary.errors
   local ran_out = false
   for _, thread in ipairs(threads) do
      ran_out = ran_out or thread:get("ran_out") == true
   end
   io.write(string.format(
      '\n{"requests":%d,"seconds":%.6f,"p50":%d,"p95":%d,"p99":%d,"refused":%d,"unanswered":%d,"ran_out":%s}\n',
      summary.requests, summary.duration / 1e6,
      latency:percentile(50), latency:percentile(95), latency:percentile(99),
      errors.status, errors.connect + errors.read + errors.write + errors.timeout, tostring(ran_out)
   ))
end
