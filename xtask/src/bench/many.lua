-- Asks with another credential each time: `many.lua bearer|sign-in FILE FIRST`, with one credential a line of the file,
-- of which only the first ones are used.

local threads = 0

function setup(thread)
  threads = threads + 1
  thread:set("seed", threads)
end

local function ask(how, credential)
  if how == "bearer" then
    return wrk.format("GET", nil, { Authorization = "Bearer " .. credential })
  end
  local form = "grant_type=zenml-api-key&password=" .. credential:gsub("[^%w]", function(c)
    return string.format("%%%02X", c:byte())
  end)
  return wrk.format("POST", nil, { ["Content-Type"] = "application/x-www-form-urlencoded" }, form)
end

function init(args)
  requests = {}
  local first = tonumber(args[3])
  for credential in io.lines(args[2]) do
    if #requests == first then break end
    requests[#requests + 1] = ask(args[1], credential)
  end
  math.randomseed(seed)
end

function request()
  return requests[math.random(#requests)]
end

-- In microseconds, as wrk counts.
function done(summary, latency)
  local failed = summary.errors
  print(string.format(
    '{"requests": %d, "micros": %d, "refused": %d, "broken": %d, "p50": %d, "p99": %d, "slowest": %d}',
    summary.requests, summary.duration, failed.status, failed.connect + failed.read + failed.write + failed.timeout,
    latency:percentile(50), latency:percentile(99), latency.max
  ))
end
