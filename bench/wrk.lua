-- Another user for every request, in every run: launches of one person that overlap share one, and those within two seconds
-- wait for each other. The last line is read by loads.ts.
local threads = 0
local n = 0
local kind, order, run

function setup(thread)
  threads = threads + 1
  thread:set("id", threads)
end

function init(args)
  kind, order = args[1], args[2]
  if args[3] ~= "" then
    wrk.headers["authorization"] = "Bearer " .. args[3]
  end
  run = string.format("%x", os.time())
  if kind:find("^json") then
    wrk.headers["content-type"] = "application/json"
  else
    wrk.headers["content-type"] = "application/x-www-form-urlencoded"
  end
end

local rpc = "/faceverification.v1.FaceVerificationService/"

function request()
  n = n + 1
  local user = string.format("u%sx%dx%d", run, id, n)
  if kind == "form GetFaceParams" then
    return wrk.format("POST", "/get_face_params", nil, "name=%E5%BC%A0%E4%B8%89&id_no=11010519491231002X&user_id=" .. user)
  elseif kind == "json GetFaceParams" then
    return wrk.format("POST", rpc .. "GetFaceParams", nil, '{"name":"张三","idNo":"11010519491231002X","userId":"' .. user .. '"}')
  elseif kind == "form GetResult" then
    return wrk.format("POST", "/get_result", nil, "order_no=" .. order)
  end
  return wrk.format("POST", rpc .. "GetResult", nil, '{"orderNo":"' .. order .. '"}')
end

function done(summary, latency)
  local errors = summary.errors
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format('\n{"requests":%d,"seconds":%f,"refused":%d,"broken":%d,"p50":%f,"p99":%f}\n',
    summary.requests, summary.duration / 1e6, errors.status, broken,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
