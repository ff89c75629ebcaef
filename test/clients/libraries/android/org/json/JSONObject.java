package org.json;

public class JSONObject {
  public JSONObject(String json) throws JSONException {}

  public String getString(String name) throws JSONException {
    throw new JSONException();
  }

  public JSONObject getJSONObject(String name) throws JSONException {
    throw new JSONException();
  }
}
