-- modegate's job in HAProxy (README.md); haproxy-lua.cfg says why it is in two parts.

local cjson = require "cjson.safe"

local PERCENT = 50

local function refuse(txn, status, text)
    local reply = txn:reply()
    reply:set_status(status)
    reply:add_header("content-type", "application/json")
    reply:set_body('{"error":"' .. text .. '"}')
    txn:done(reply)
end

core.register_action("job", { "http-req" }, function(txn)
    local body = txn.f:req_body() or ""
    local length = tonumber(txn.f:req_body_size())
    if #body < length then
        return refuse(txn, 413, "Request body too large")
    end
    local message = cjson.decode(body)
    if type(message) ~= "table" then
        return refuse(txn, 400, "Invalid JSON in request body")
    end

    local http = txn.http
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
        local edited = cjson.encode(message)
        txn:set_priv(edited)
        http:req_set_header("content-length", tostring(#edited))
    end

    local room = txn.f:path():match("^/api/conversations/([^/]+)/")
    local mode = "default" -- whatever was asked for: runtime is off
    txn:set_var("txn.mode", mode)
    http:req_set_header("x-processing-mode", mode)
    http:req_set_header("x-processing-requested", requested)
    http:req_set_header("x-processing-room", room)
    http:req_set_header("x-processing-cohort",
        txn.c:crc32(room) % 10000 < PERCENT * 100 and "canary" or "control")
end)

local Replace = { id = "replace the body of a message", flags = filter.FLT_CFG_FL_HTX }
Replace.__index = Replace

function Replace:new()
    return setmetatable({}, Replace)
end

function Replace:start_analyze(txn, channel)
    if not channel:is_resp() then
        filter.register_data_filter(self, channel)
    end
end

function Replace:http_payload(txn, http)
    local edited = txn:get_priv()
    if edited then
        txn:set_priv(nil)
        http:set(edited)
    end
end

core.register_filter("replace_body", Replace, function(filter, args)
    return filter
end)
