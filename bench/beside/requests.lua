-- Sends the requests of a plan, which is a Lua file: wrk -s requests.lua URL -- PLAN
--
-- plan.turns     the order of the requests, repeated
-- plan.requests  method, path, headers, body; {v} stands for one of `values`, {i} for a number that no other request
--                has, and {n} for such a number in scattered order
-- plan.number    the first number
-- plan.check     whether to look at each status, which costs time; without it wrk counts those above 399
local plan, ready, turn = nil, {}, 0
number, wrong = 0, 0 -- global, so that done() can read them
local threads = {}

local SCATTER, NUMBERS = 618033989, 1000000000 -- coprime

function setup(thread)
  threads[#threads + 1] = thread
end

local function with_value(request, value)
  local path = request.path:gsub("{v}", value)
  return wrk.format(request.method, path, request.headers, request.body)
end

-- A copy of the request in which the numbers are filled in.
local function with_number(request)
  number = number + 1
  local numbers = { i = tostring(number), n = string.format("%09d", number * SCATTER % NUMBERS) }
  local function fill(text) return (text:gsub("{([in])}", numbers)) end
  local headers = {}
  for name, value in pairs(request.headers) do headers[name] = fill(value) end
  return wrk.format(request.method, fill(request.path), headers, request.body and fill(request.body))
end

function init(arguments)
  plan = dofile(arguments[1])
  number = plan.number
  for at, request in ipairs(plan.requests) do
    if not request.counted then
      ready[at] = { next = 0 }
      for _, value in ipairs(request.values) do table.insert(ready[at], with_value(request, value)) end
    end
  end
  if plan.check then
    response = function(status)
      if status < 200 or status > 299 then wrong = wrong + 1 end
    end
  end
end

function request()
  turn = turn % #plan.turns + 1
  local at = plan.turns[turn]
  local texts = ready[at]
  if not texts then return with_number(plan.requests[at]) end
  texts.next = texts.next % #texts + 1
  return texts[texts.next]
end

function done(summary, latency)
  local errors = summary.errors
  local last = 0
  for _, thread in ipairs(threads) do
    wrong = wrong + (thread:get("wrong") or 0)
    last = math.max(last, thread:get("number"))
  end
  io.write(string.format(
    '\nresult {"answers":%d,"seconds":%.6f,"p50_ms":%.3f,"p99_ms":%.3f,"p999_ms":%.3f,"number":%d,' ..
    '"above_399":%d,"not_2xx":%d,"broken":%d,"late":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    latency:percentile(99.9) / 1e3, last, errors.status, wrong,
    errors.connect + errors.read + errors.write, errors.timeout))
end
