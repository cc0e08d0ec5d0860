-- modegate's job in HAProxy (README.md): a filter of the backend for messages.

local cjson = require "cjson.safe"

local PERCENT = 50

local function refuse(txn, status, text)
    local reply = txn:reply()
    reply:set_status(status)
    reply:add_header("content-type", "application/json")
    reply:set_body('{"error":"' .. text .. '"}')
    txn:done(reply)
end

local Job = { id = "modegate's job", flags = filter.FLT_CFG_FL_HTX }
Job.__index = Job

function Job:new()
    return setmetatable({}, Job)
end

function Job:start_analyze(txn, channel)
    if not channel:is_resp() then
        filter.register_data_filter(self, channel)
    end
end

-- The whole message is in the buffer by now, and its head has not left.
function Job:http_headers(txn, http)
    if http:is_resp() then
        return
    end

    local body = txn.f:req_body()
    if #body < txn.f:req_body_size() then
        return refuse(txn, 413, "Request body too large")
    end
    local message = cjson.decode(body)
    if type(message) ~= "table" then
        return refuse(txn, 400, "Invalid JSON in request body")
    end

    local head = txn.http -- `http` refuses to change it once the body has come
    local requested = "none"
    local processing = message.processing
    if processing ~= nil then
        if processing ~= cjson.null then
            local mode = type(processing) == "table" and processing.mode
            if mode ~= "default" and mode ~= "fast" then
                return refuse(txn, 400, "Invalid processing")
            end
            requested = mode
        end
        message.processing = nil
        self.edited = cjson.encode(message)
        if txn.f:req_hdr_cnt("content-length") > 0 then -- else it comes in chunks, and goes so
            head:req_set_header("content-length", tostring(#self.edited))
        end
    end

    local room = txn.f:path():match("^/api/conversations/([^/]+)/")
    local mode = "default" -- whatever was asked for: runtime is off
    txn:set_var("txn.mode", mode)
    head:req_set_header("x-processing-mode", mode)
    head:req_set_header("x-processing-requested", requested)
    head:req_set_header("x-processing-room", room)
    head:req_set_header("x-processing-cohort",
        txn.c:crc32(room) % 10000 < PERCENT * 100 and "canary" or "control")
end

function Job:http_payload(txn, http)
    if self.edited then
        http:set(self.edited)
        self.edited = nil
    end
end

core.register_filter("job", Job, function(job, args)
    return job
end)
