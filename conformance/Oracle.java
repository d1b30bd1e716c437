// SPDX-License-Identifier: Apache-2.0
//
// The second opinion on mapping templates: Velocity 1.7 over Jayway JsonPath and json-smart, set up
// as API Gateway behaves. Reads one case a line (JSON), answers one result a line (JSON, ASCII only).
//
// A case:   {"template", "request": {"body", "headers", "query", "path"}, "context", "stage_variables"}
// A result: {"output", "requestOverride", "responseOverride"} or {"error"}

import com.jayway.jsonpath.Configuration;
import com.jayway.jsonpath.JsonPath;
import com.jayway.jsonpath.PathNotFoundException;
import com.jayway.jsonpath.spi.json.JsonSmartJsonProvider;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.StringReader;
import java.io.StringWriter;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import net.minidev.json.JSONStyle;
import net.minidev.json.JSONValue;
import net.minidev.json.parser.JSONParser;
import org.apache.commons.lang.StringEscapeUtils;
import org.apache.velocity.VelocityContext;
import org.apache.velocity.app.event.EventCartridge;
import org.apache.velocity.app.event.InvalidReferenceEventHandler;
import org.apache.velocity.context.Context;
import org.apache.velocity.runtime.RuntimeInstance;
import org.apache.velocity.util.introspection.Info;

public final class Oracle {
  private static final JsonSmartJsonProvider JSON = new JsonSmartJsonProvider();
  private static final Configuration PATHS = Configuration.builder().jsonProvider(JSON).build();

  /** `$input`. */
  public static final class Input {
    @Override
    public String toString() {
      return "";
    }

    private final String body;
    private final Map<String, Map<String, String>> params;
    private Object document;

    Input(String body, Map<String, Map<String, String>> params) {
      this.body = body == null || body.isEmpty() ? "{}" : body;
      this.params = params;
    }

    public String getBody() {
      return body;
    }

    public Object path(String path) {
      if (document == null) {
        document = JSON.parse(body);
      }
      try {
        return JsonPath.using(PATHS).parse(document).read(path);
      } catch (PathNotFoundException nothing) {
        return null;
      }
    }

    public String json(String path) {
      Object found = path(path);
      if (found == null) {
        return "\"\"";
      }
      boolean holdsOthers = found instanceof Map || found instanceof List;
      return holdsOthers ? JSON.toJson(found) : JSONValue.toJSONString(found, JSONStyle.LT_COMPRESS);
    }

    public Map<String, Map<String, String>> params() {
      return params;
    }

    public String params(String name) {
      for (Map<String, String> each : params.values()) {
        if (each.containsKey(name)) {
          return each.get(name);
        }
      }
      return "";
    }
  }

  /** `$util`. */
  public static final class Util {
    @Override
    public String toString() {
      return "";
    }

    public String escapeJavaScript(Object value) {
      return value == null ? null : StringEscapeUtils.escapeJavaScript(value.toString());
    }

    public Object parseJson(String text) {
      return JSON.parse(text);
    }

    public String urlEncode(String text) throws Exception {
      return URLEncoder.encode(text, "UTF-8");
    }

    public String urlDecode(String text) throws Exception {
      return URLDecoder.decode(text, "UTF-8");
    }

    public String base64Encode(String text) {
      return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }

    public String base64Decode(String text) {
      return new String(Base64.getDecoder().decode(text), StandardCharsets.UTF_8);
    }
  }

  /** A map within `$context`: prints as nothing. */
  public static final class Silent extends LinkedHashMap<String, Object> {
    @Override
    public String toString() {
      return "";
    }
  }

  /** Whatever leads nowhere is the empty string. */
  private static final class Lenient implements InvalidReferenceEventHandler {
    @Override
    public Object invalidGetMethod(Context c, String ref, Object o, String property, Info at) {
      return "";
    }

    @Override
    public boolean invalidSetMethod(Context c, String left, String right, Info at) {
      return false;
    }

    @Override
    public Object invalidMethod(Context c, String ref, Object o, String method, Info at) {
      return "";
    }
  }

  private static RuntimeInstance velocity() throws Exception {
    Properties settings = new Properties();
    settings.put("runtime.log.logsystem.class", "org.apache.velocity.runtime.log.NullLogChute");
    settings.put("velocimacro.permissions.allow.inline", "false");
    settings.put("velocimacro.library", "");
    settings.put("directive.foreach.maxloops", "1000");
    settings.put(
        "runtime.introspector.uberspect",
        "org.apache.velocity.util.introspection.SecureUberspector");
    RuntimeInstance velocity = new RuntimeInstance();
    velocity.init(settings);
    velocity.removeDirective("evaluate");
    return velocity;
  }

  @SuppressWarnings("unchecked")
  private static <T> Map<String, T> member(Map<String, Object> holder, String name) {
    Object found = holder == null ? null : holder.get(name);
    return found == null ? new LinkedHashMap<>() : (Map<String, T>) found;
  }

  @SuppressWarnings("unchecked")
  private static Map<String, Object> silent(Map<String, Object> map, boolean outermost) {
    Map<String, Object> copy = outermost ? new LinkedHashMap<>() : new Silent();
    map.forEach(
        (name, value) ->
            copy.put(
                name,
                value instanceof Map ? silent((Map<String, Object>) value, false) : value));
    return copy;
  }

  private static Map<String, Object> context(Map<String, Object> asked) {
    Map<String, Object> context = new LinkedHashMap<>(asked);
    Map<String, Object> request = new LinkedHashMap<>();
    for (String part : new String[] {"path", "header", "querystring"}) {
      request.put(part, new LinkedHashMap<String, Object>());
    }
    Map<String, Object> response = new LinkedHashMap<>();
    response.put("header", new LinkedHashMap<String, Object>());
    context.putIfAbsent("requestOverride", request);
    context.putIfAbsent("responseOverride", response);
    return silent(context, true);
  }

  private static Map<String, Object> answer(RuntimeInstance velocity, Map<String, Object> asked) {
    Map<String, Object> request = member(asked, "request");
    Map<String, Map<String, String>> params = new LinkedHashMap<>();
    params.put("path", member(request, "path"));
    params.put("querystring", member(request, "query"));
    params.put("header", member(request, "headers"));
    Map<String, Object> context = context(member(asked, "context"));
    VelocityContext variables = new VelocityContext();
    variables.put("input", new Input((String) request.get("body"), params));
    variables.put("util", new Util());
    variables.put("context", context);
    variables.put("stageVariables", member(asked, "stage_variables"));
    EventCartridge events = new EventCartridge();
    events.addEventHandler(new Lenient());
    events.attachToContext(variables);
    Map<String, Object> result = new LinkedHashMap<>();
    try {
      StringWriter output = new StringWriter();
      StringReader template = new StringReader((String) asked.get("template"));
      velocity.render(variables, output, "template", velocity.parse(template, "template"));
      result.put("output", output.toString());
      result.put("requestOverride", context.get("requestOverride"));
      result.put("responseOverride", context.get("responseOverride"));
    } catch (Throwable failure) {
      result.clear();
      String words = String.valueOf(failure.getMessage());
      result.put("error", failure.getClass().getSimpleName() + ": " + words.split("\n")[0]);
    }
    return result;
  }

  private static String ascii(String text) {
    StringBuilder out = new StringBuilder(text.length());
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c < 0x7f) {
        out.append(c);
      } else {
        out.append(String.format("\\u%04x", (int) c));
      }
    }
    return out.toString();
  }

  @SuppressWarnings("unchecked")
  public static void main(String[] args) throws Exception {
    RuntimeInstance velocity = velocity();
    BufferedReader cases =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
    PrintStream results = new PrintStream(System.out, false, "US-ASCII");
    for (String line = cases.readLine(); line != null; line = cases.readLine()) {
      JSONParser parser = new JSONParser(JSONParser.MODE_PERMISSIVE);
      Object asked = parser.parse(line, JSONValue.defaultReader.DEFAULT_ORDERED);
      Map<String, Object> result = answer(velocity, (Map<String, Object>) asked);
      String text;
      try {
        text = JSONValue.toJSONString(result, JSONStyle.LT_COMPRESS);
      } catch (Throwable failure) {
        result.keySet().retainAll(Set.of("output"));  // an override may hold what is no JSON
        text = JSONValue.toJSONString(result, JSONStyle.LT_COMPRESS);
      }
      results.println(ascii(text));
      if (!cases.ready()) {
        results.flush();
      }
    }
    results.flush();
  }
}
