package android.os;

public class Bundle {
  public void putSerializable(String key, java.io.Serializable value) {}
}
