-- modegate's job in nginx (README.md), run once for each request to a message route.

local cjson = require "cjson.safe"

local PERCENT = 50

local function refuse(text)
    ngx.status = 400
    ngx.header["Content-Type"] = "application/json"
    ngx.print('{"error":"' .. text .. '"}')
    return ngx.exit(400)
end

local function is_json(content_type)
    return content_type == "application/json" -- mostly
        or content_type and ngx.re.find(content_type, [[^application/json\s*(?:;|$)]], "ijo")
end

local var = ngx.var
if ngx.req.get_method() ~= "POST" or not is_json(var.http_content_type) then
    return ngx.exec("@pass")
end

local room = var.room
if room == "" then
    -- The location matched only once the target was decoded; no id stands in it as it came.
    return ngx.exec("@pass")
end

ngx.req.read_body()
local message = cjson.decode(ngx.req.get_body_data() or "")
if type(message) ~= "table" then
    return refuse("Invalid JSON in request body")
end

local requested = "none"
local processing = message.processing
if processing ~= nil then
    if processing ~= cjson.null then
        local mode = type(processing) == "table" and processing.mode
        if mode ~= "default" and mode ~= "fast" then
            return refuse("Invalid processing")
        end
        requested = mode
    end
    message.processing = nil
    ngx.req.set_body_data(cjson.encode(message))
end

var.mode = "default" -- whatever was asked for: runtime is off
var.requested = requested
var.cohort = ngx.crc32_short(room) % 10000 < PERCENT * 100 and "canary" or "control"
